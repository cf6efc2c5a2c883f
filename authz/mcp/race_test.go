//go:build race

package mcp

// raceDetector: a pool drops some of what it is given.
const raceDetector = true
