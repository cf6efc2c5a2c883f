//go:build race

package main

// raced says that the race detector is on: sync.Pool then drops some of what it is given, and allocations are more.
const raced = true
