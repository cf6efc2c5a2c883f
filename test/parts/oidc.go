package parts

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-jose/go-jose/v4"
)

// OIDCConfig is what the OpenID provider serves. Dir is required; the rest has defaults that make one
// RS256 key, and one client for one resource: those of config/samples.
type OIDCConfig struct {
	Dir       string         `json:"-"` // run directory
	Port      int            `json:"port"`
	Issuer    string         `json:"issuer,omitempty"` // of a proxy before it; default: where it listens
	TLS       *Files         `json:"tls,omitempty"`    // default: plain http
	CA        *CA            `json:"-"`                // that signed TLS; needed to wait for the provider
	JWKS      Keys           `json:"jwks"`
	Clients   []OIDCClient   `json:"clients"`
	Resources []OIDCResource `json:"resources"`
	// People log in too, with clients that nobody made known to the provider.
	People bool `json:"people,omitempty"`
	// Signs: the provider signs its answers about tokens, whatever a client accepts.
	Signs bool `json:"signs,omitempty"`
}

// Files are a certificate and its key.
type Files struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Keys are private keys as a JSON Web Key Set.
type Keys = jose.JSONWebKeySet

// OIDCClient may use the client credentials grant, and introspection.
type OIDCClient struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty"`
	Scope  string `json:"scope"`          // separated by spaces
	Auth   string `json:"auth,omitempty"` // how it authenticates; default client_secret_post
	JWKS   *Keys  `json:"jwks,omitempty"` // its public keys, for private_key_jwt
	// Exchanges lets it exchange tokens (RFC 8693). TTL is how many seconds its opaque
	// tokens last, default 3600.
	Exchanges bool `json:"exchanges,omitempty"`
	TTL       int  `json:"ttl,omitempty"`
}

// OIDCResource is an API that tokens are for; those for it are JWTs (RFC 9068) unless it is Opaque.
type OIDCResource struct {
	Audience string `json:"audience"`
	Scope    string `json:"scope"`
	Alg      string `json:"alg,omitempty"` // default RS256; JWKS must hold a key for it
	TTL      int    `json:"ttl,omitempty"` // seconds, default 3600
	Opaque   bool   `json:"opaque,omitempty"`
}

// OIDC is a running provider.
type OIDC struct {
	*Process
	Issuer string

	base   string // where it listens; the issuer unless a proxy is before it
	config OIDCConfig
	client *http.Client
}

// StartOIDC runs the provider and returns when it answers discovery.
func StartOIDC(ctx context.Context, config OIDCConfig) (*OIDC, error) {
	program, err := installed("test", "clients", "node_modules", "oidc-provider", "package.json")
	if err != nil {
		return nil, err
	}
	program = filepath.Join(filepath.Dir(program), "..", "..", "oidc-provider.mjs")
	if err := config.fill(); err != nil {
		return nil, err
	}
	scheme, trusts := "http://", ""
	o := &OIDC{config: config, client: probeClient}
	if config.TLS != nil {
		scheme = "https://"
		if config.CA == nil {
			return nil, errors.New("an OpenID provider with TLS needs the CA that signed its certificate")
		}
		o.client = config.CA.HTTPClient()
		if trusts, err = config.CA.Write(config.Dir, "oidc-provider-ca"); err != nil {
			return nil, err
		}
	}
	o.base = scheme + loopback(config.Port)
	o.Issuer = cmp.Or(config.Issuer, o.base)
	if err := o.write(); err != nil {
		return nil, err
	}
	o.Process, err = start("oidc-provider", config.Dir, "env", "NODE_EXTRA_CA_CERTS="+trusts, "node", program, o.file())
	if err != nil {
		return nil, err
	}
	return o, o.ready(ctx, func(ctx context.Context) error {
		_, err := get(ctx, o.client, o.base+"/.well-known/openid-configuration")
		return err
	})
}

func (c *OIDCConfig) fill() (err error) {
	if c.Port == 0 {
		if c.Port, err = FreePort(); err != nil {
			return err
		}
	}
	if len(c.JWKS.Keys) == 0 {
		key, err := NewKey("RS256", "first")
		if err != nil {
			return err
		}
		c.JWKS.Keys = []jose.JSONWebKey{key}
	}
	if c.Clients == nil {
		c.Clients = []OIDCClient{{ID: "orders-agent", Secret: "sample-client-secret-of-orders-agent", Scope: "orders:read orders:write"}}
	}
	if c.Resources == nil {
		c.Resources = []OIDCResource{{Audience: "https://orders.example.com", Scope: "orders:read orders:write"}}
	}
	return nil
}

// NewKey makes a private signing key for RS256, PS256, ES256, ES384 or EdDSA.
func NewKey(alg, kid string) (jose.JSONWebKey, error) {
	var key any
	var err error
	switch alg {
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("expected RS256, PS256, ES256, ES384 or EdDSA, got %q", alg)
	}
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}, err
}

func (o *OIDC) file() string { return filepath.Join(o.config.Dir, "oidc-provider.json") }

func (o *OIDC) write() error {
	config, err := json.Marshal(o.config)
	if err != nil {
		return err
	}
	return replace(o.file(), config)
}

// Rotate makes the provider sign with other keys, and returns when it publishes exactly these. The
// provider is not restarted; opaque tokens issued before are forgotten.
func (o *OIDC) Rotate(ctx context.Context, keys ...jose.JSONWebKey) error {
	o.config.JWKS.Keys = keys
	if err := o.write(); err != nil {
		return err
	}
	if err := o.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return o.ready(ctx, func(ctx context.Context) error {
		body, err := get(ctx, o.client, o.base+"/jwks")
		if err != nil {
			return err
		}
		var published Keys
		if err := json.Unmarshal(body, &published); err != nil {
			return err
		}
		if len(published.Keys) != len(keys) {
			return fmt.Errorf("expected %d published keys, got %d", len(keys), len(published.Keys))
		}
		for _, key := range keys {
			if len(published.Key(key.KeyID)) == 0 {
				return fmt.Errorf("key %q is not published yet", key.KeyID)
			}
		}
		return nil
	})
}

// Keys are those the provider signs with, the one in use first.
func (o *OIDC) Keys() []jose.JSONWebKey { return slices.Clone(o.config.JWKS.Keys) }

// TokenURL is where clients get tokens.
func (o *OIDC) TokenURL() string { return o.base + "/token" }

// Token gets an access token for the provider's first client, by client credentials. With a resource
// it is a JWT for it, else it is opaque.
func (o *OIDC) Token(ctx context.Context, resource, scope string) (string, error) {
	return o.TokenFor(ctx, resource, scope, "")
}

// TokenFor is Token with a DPoP proof of the key that the token is to be bound to; "" is none.
func (o *OIDC) TokenFor(ctx context.Context, resource, scope, proof string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	if resource != "" {
		form.Set("resource", resource)
	}
	resp, err := o.post(ctx, o.TokenURL(), form, proof)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Token       string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.Token == "" {
		return "", fmt.Errorf("%s: expected a token, got %d %s: %s", o.TokenURL(), resp.StatusCode, answer.Error, answer.Description)
	}
	return answer.Token, nil
}

// IntrospectionURL is where clients ask about tokens (RFC 7662).
func (o *OIDC) IntrospectionURL() string { return o.Issuer + "/token/introspection" }

// Introspect asks about a token as the provider's first client.
func (o *OIDC) Introspect(ctx context.Context, token string) (members map[string]any, err error) {
	resp, err := o.post(ctx, o.IntrospectionURL(), url.Values{"token": {token}}, "")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return members, json.NewDecoder(resp.Body).Decode(&members)
}

// Revoke takes back a token of the provider's first client (RFC 7009).
func (o *OIDC) Revoke(ctx context.Context, token string) error {
	resp, err := o.post(ctx, o.base+"/token/revocation", url.Values{"token": {token}}, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revocation: expected 200, got %d", resp.StatusCode)
	}
	return nil
}

// post sends a form as the provider's first client.
func (o *OIDC) post(ctx context.Context, to string, form url.Values, proof string) (*http.Response, error) {
	client := o.config.Clients[0]
	form.Set("client_id", client.ID)
	form.Set("client_secret", client.Secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("content-type", "application/x-www-form-urlencoded")
	if proof != "" {
		req.Header.Set("dpop", proof)
	}
	return o.client.Do(req)
}
