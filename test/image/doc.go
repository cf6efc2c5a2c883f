// Package image proves what the Dockerfile says, without a Docker engine (build tag e2e): that what it copies is
// enough, that two builds give the same bytes, that it builds for other processors, and that the binary needs nothing
// beside itself.
package image
