package policydir

// What is read is bounded, so that a directory cannot exhaust the server.
const (
	maxFile      = 1 << 20  // bytes of a file
	maxTotal     = 64 << 20 // bytes of all files
	maxFiles     = 20_000   // files, and directories, of a tree
	maxDocuments = 1000     // documents of a file
	maxDepth     = 64       // nesting of a document
	maxAliased   = 1 << 20  // bytes and nodes of a document reached through aliases
)
