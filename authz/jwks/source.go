package jwks

import (
	"context"
	"errors"
	"fmt"
)

// Config says where keys come from, an issuer or a URL, and how they are fetched.
type Config struct {
	// Issuer is where discovery finds the URL of the key set.
	Issuer string

	// URL is that of the key set.
	URL string

	// Discover returns the URL of an issuer's key set. It is needed with Issuer.
	// Its error must hold nothing that was fetched.
	Discover func(ctx context.Context, turn Turn, issuer string) (url string, err error)

	// Fetch gets a URL. Its error must hold nothing that was fetched. Discover and
	// Fetch wait for their turn as long as it takes, and bound the time after that.
	Fetch func(ctx context.Context, turn Turn, url string) (Answer, error)

	// Panicked, if not nil, is told of a panic over an answer, with its stack. The
	// value may quote the answer.
	Panicked func(value any, stack []byte)

	// Tenant returns whose turn a fetch takes; nil: nobody's in particular.
	Tenant func() string

	// Shared is one for all sets of a process; nil: one of this set's own.
	Shared *Shared
}

// Turn says which fetches a fetch goes before.
type Turn struct {
	// Tenant is whose fetch it is: turns go round the tenants.
	Tenant string

	// Asked says that a request of a stranger started the fetch, before its time.
	Asked bool

	// Last says that the set never had keys and was tried before.
	Last bool
}

// Answer is the answer to a request, of any status.
type Answer struct {
	Status       int
	CacheControl string // several fields joined by commas
	Body         []byte
}

// load fetches the key set, and returns the URL that it was found at. An issuer's
// is discovered anew for each scheduled fetch, since a provider may move it. A
// fetch that a request started takes the URL that is known: the request waits.
func (c Config) load(ctx context.Context, turn Turn, known string) (answer Answer, url string, err error) {
	if c.Fetch == nil || (c.Issuer == "") == (c.URL == "") || (c.Issuer != "" && c.Discover == nil) {
		return answer, "", errors.New("exactly one of an issuer and a URL is needed to fetch keys")
	}
	url, what := c.URL, "key set"
	if c.Issuer != "" {
		if url, err = c.locate(ctx, turn, known); err != nil {
			return answer, "", fmt.Errorf("discovery: %w", err)
		}
		what = "key set named by discovery"
	}
	if answer, err = c.Fetch(ctx, turn, url); err == nil {
		err = answer.ok()
	}
	if err != nil {
		return Answer{}, "", fmt.Errorf("%s: %w", what, err)
	}
	return answer, url, nil
}

func (c Config) locate(ctx context.Context, turn Turn, known string) (url string, err error) {
	if turn.Asked && known != "" {
		return known, nil
	}
	return c.Discover(ctx, turn, c.Issuer)
}

func (a Answer) ok() error {
	switch {
	case a.Status != 200:
		return fmt.Errorf("answered %d, 200 was expected", a.Status)
	case len(a.Body) > maxBytes:
		return fmt.Errorf("the answer is larger than %d bytes", maxBytes)
	}
	return nil
}
