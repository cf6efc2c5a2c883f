package main

// verifiedMemory is the bound of kept credentials: an eighth of GOMEMLIMIT, or of 1
// GiB where there is none, at least 16 MiB and at most 256 MiB. 16 MiB are some 8,000
// tokens with a dozen claims.
func verifiedMemory() int64 { return min(max(memoryLimit()/8, 16<<20), 256<<20) }

// replayMemory is the bound of proofs that were used: a sixteenth of GOMEMLIMIT, or of
// 1 GiB where there is none, at least 16 MiB and at most 256 MiB. 16 MiB are some
// 170,000 proofs, of which each is kept for a minute and a half.
func replayMemory() int64 { return min(max(memoryLimit()/16, 16<<20), 256<<20) }
