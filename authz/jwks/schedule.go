package jwks

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

const (
	refreshEvery    = 5 * time.Minute
	refreshJitter   = 30 * time.Second
	refreshSoonest  = time.Minute      // what Cache-Control can shorten that to; also after a failure
	retryWithout    = 10 * time.Second // no keys are held
	askAgain        = 10 * time.Second // between refreshes for unknown keys
	keepWithout     = 24 * time.Hour   // how long the last good keys serve
	refreshDeadline = 5 * time.Second  // discovery and keys together
)

// untilRefresh is when good keys are fetched again: a little earlier than
// they might, so that replicas which started together drift apart.
func untilRefresh(cacheControl string) time.Duration {
	wait := refreshEvery
	if age, ok := maxAge(cacheControl); ok {
		wait = min(wait, age)
	}
	return max(wait-rand.N(refreshJitter), refreshSoonest) // #nosec G404 -- jitter
}

// maxAge reads what RFC 9111 section 5.2.2 has to say of storing an answer.
func maxAge(cacheControl string) (age time.Duration, ok bool) {
	for directive := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil && (!ok || time.Duration(seconds)*time.Second < age) {
				age, ok = time.Duration(seconds)*time.Second, true
			}
		}
	}
	return age, ok
}
