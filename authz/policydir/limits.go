package policydir

// Bounds on the files of a directory, so that it cannot exhaust the server.
const (
	maxFile  = 1 << 20  // bytes of a file
	maxTotal = 64 << 20 // bytes of all files
	maxFiles = 20_000   // files, and directories, of a tree
)
