package telemetry

import (
	"fmt"
	"net/http"

	"github.com/agentauth-dev/agentauth/authz/signing"
)

// PublishedKeys answers /jwks/{namespace}/{secret}: the public keys of a Secret by
// which a policy in force signs tokens for its upstream. Of any other Secret it does
// not tell whether there is one, and it lists none.
type PublishedKeys struct {
	// Of are the public keys of a Secret; none if no policy in force signs by it.
	Of func(namespace, secret string) []signing.Public
	// Serving says whether policies are in force; until then there is no answer that a
	// cache may keep.
	Serving func() bool
}

// publishedFor is for how many seconds an upstream may keep the keys. The recipe for
// rotation in docs/upstream-tokens.md waits longer.
const publishedFor = 300

// ServeHTTP implements [http.Handler].
func (p *PublishedKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	keys := p.Of(r.PathValue("namespace"), r.PathValue("secret"))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case len(keys) > 0:
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", publishedFor))
		_, _ = w.Write(signing.Set(keys)) // the caller hung up
	case !p.Serving():
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Retry-After", "1")
		http.Error(w, "policies are being loaded", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no policy in force signs tokens by a Secret of this name", http.StatusNotFound)
	}
}
