package jwks_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// through finds and fetches an issuer's keys by way of egress.
func through(c *egress.Client, roots *x509.CertPool, issuer string) jwks.Config {
	return jwks.Config{
		Issuer: issuer,
		Discover: func(ctx context.Context, turn jwks.Turn, issuer string) (string, error) {
			return c.Discover(ctx, issuer, roots, egress.Turn(turn))
		},
		Fetch: func(ctx context.Context, turn jwks.Turn, url string) (jwks.Answer, error) {
			res, err := c.Do(ctx, egress.Request{URL: url, Roots: roots, Turn: egress.Turn(turn)})
			if err != nil {
				return jwks.Answer{}, err
			}
			return jwks.Answer{Status: res.Status, CacheControl: strings.Join(res.Header.Values("Cache-Control"), ","), Body: res.Body}, nil
		},
	}
}

func newSet(t *testing.T, kid string) string {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := (&jose.JSONWebKey{Key: public, KeyID: kid}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"keys":[%s]}`, key)
}

func TestAProviderThatMisbehavesOverHTTPChangesNothing(t *testing.T) {
	set := newSet(t, "a")
	for name, c := range map[string]struct {
		bad  http.HandlerFunc
		want string
	}{
		"a redirect to a metadata address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		}, "redirect"},
		"10 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, set, strings.Repeat(" ", 10<<20))
		}, "larger than"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(set)))
			_, _ = fmt.Fprint(w, set[:len(set)/2])
		}, "ended early"},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, "<html>")
		}, "malformed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			var misbehave atomic.Bool
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/.well-known/openid-configuration":
					_, _ = fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"https://%s/keys"}`, r.Host, r.Host)
				case misbehave.Load():
					c.bad(w, r)
				default:
					_, _ = fmt.Fprint(w, set)
				}
			}))
			defer s.Close()
			roots := x509.NewCertPool()
			roots.AddCert(s.Certificate())
			client := egress.New(egress.Config{AllowHTTP: true, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
			defer client.Close()
			r := jwks.NewRemote(through(client, roots, s.URL))
			defer r.Close()

			if _, err := r.Lookup(t.Context(), "a", "EdDSA"); err != nil {
				t.Fatal(err)
			}
			misbehave.Store(true)
			if _, err := r.Lookup(t.Context(), "b", "EdDSA"); !errors.Is(err, jwks.ErrUnknownKey) {
				t.Errorf("want an unknown key, got %v", err)
			}
			if got := r.Status().Error; !strings.Contains(got, c.want) {
				t.Errorf("want status error %q, got %q", c.want, got)
			}
			if _, err := r.Lookup(t.Context(), "a", "EdDSA"); err != nil {
				t.Errorf("the good key is gone: %v", err)
			}
		})
	}
}

func TestAProviderAtAnAddressThatIsNotOpenedIsUnavailableAndSaysWhy(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	client := egress.New(egress.Config{})
	defer client.Close()
	r := jwks.NewRemote(through(client, nil, s.URL))
	defer r.Close()
	_, err := r.Lookup(t.Context(), "a", "EdDSA")
	var unavailable *jwks.UnavailableError
	if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), "--egress-allow-cidr") {
		t.Errorf("got %v", err)
	}
}
