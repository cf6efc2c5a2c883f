package manifest

// Bounds on what one document may cost. The caller of Read bounds the files.
const (
	maxDocuments = 1000    // documents of a file
	maxDepth     = 64      // nesting of a document
	maxAliased   = 1 << 20 // bytes and nodes of a document reached through aliases
	maxProblems  = 100     // problems of a file that are reported: later ones follow from them
)
