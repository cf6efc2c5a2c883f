package validate

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

var claimName = regexp.MustCompile(`^[!-~]{1,256}$`)

func (f *findings) signed(at *field.Path, s *v1alpha1.SignedToken, header string) {
	f.keyed(at, &s.SecretRef, header, s.Scheme)
	issuer.optional(f, at.Child("issuer"), s.Issuer)
	if strings.HasPrefix(s.Issuer, upstream.IssuerPrefix) {
		f.invalid(at.Child("issuer"), "issuers that begin with agentauth.dev/ are those of namespaces: leave issuer out, got %s", brief(s.Issuer))
	}
	audience.check(f, at.Child("audience"), s.Audience)
	if s.TTL != nil {
		f.ttl(at.Child("ttl"), *s.TTL)
	}
	claims := at.Child("claims")
	f.count(claims, len(s.Claims), 0, 16)
	for _, name := range slices.Sorted(maps.Keys(s.Claims)) {
		switch {
		case !claimName.MatchString(name):
			f.invalid(claims, "the name of a claim has 1 to 256 characters of ASCII without spaces, got %s", brief(name))
		case slices.Contains(upstream.OwnClaims, name):
			f.invalid(claims, "iss, sub, aud, exp, iat, nbf, jti and act are set by agentauth alone, got %s", brief(name))
		}
		expression.check(f, claims.Key(name), string(s.Claims[name]))
	}
}

func (f *findings) ttl(at *field.Path, d gatewayv1.Duration) {
	parsed, err := time.ParseDuration(string(d))
	if !duration.MatchString(string(d)) || err != nil {
		f.invalid(at, "expected a duration such as 60s, of whole h, m, s and ms, got %s", brief(string(d)))
	} else if parsed < 5*time.Second || parsed > time.Hour {
		f.invalid(at, "ttl must be at least 5s and at most 1h, got %s", d)
	}
}
