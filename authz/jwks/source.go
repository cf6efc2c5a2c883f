package jwks

import (
	"context"
	"errors"
	"fmt"
)

// Config says where keys come from: an issuer or a URL.
type Config struct {
	// Issuer is where discovery finds the URL of the key set.
	Issuer string

	// URL is that of the key set.
	URL string

	// Discover returns the URL of an issuer's key set. It is needed with Issuer.
	// Its error must hold nothing that was fetched.
	Discover func(ctx context.Context, issuer string) (url string, err error)

	// Fetch gets a URL. Its error must hold nothing that was fetched.
	Fetch func(ctx context.Context, url string) (Answer, error)
}

// Answer is the answer to a request, of any status.
type Answer struct {
	Status       int
	CacheControl string // several fields joined by commas
	Body         []byte
}

// load fetches the key set. An issuer's is discovered anew each time: a provider
// may move it.
func (c Config) load(ctx context.Context) (Answer, error) {
	if c.Fetch == nil || (c.Issuer == "") == (c.URL == "") || (c.Issuer != "" && c.Discover == nil) {
		return Answer{}, errors.New("exactly one of an issuer and a URL is needed to fetch keys")
	}
	from, what := c.URL, "key set"
	if c.Issuer != "" {
		var err error
		if from, err = c.Discover(ctx, c.Issuer); err != nil {
			return Answer{}, fmt.Errorf("discovery: %w", err)
		}
		what = "key set named by discovery"
	}
	answer, err := c.Fetch(ctx, from)
	if err == nil {
		err = answer.ok()
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", what, err)
	}
	return answer, nil
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
