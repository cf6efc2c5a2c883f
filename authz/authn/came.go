package authn

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

const (
	maxShown  = 100 // bytes of a value
	maxListed = 8   // values of a list
)

// Quote is a value for people: at most 100 bytes of it, without control
// characters. It is for values of a token, never for a credential.
func Quote(s string) string { return strconv.Quote(authz.Cut(s, maxShown)) }

// QuoteList is a list of values for people.
func QuoteList(list []string) string { return listed(list, Quote) }

// listed are the first of a list, each as a text, and how many more there are.
func listed[T any](list []T, text func(T) string) string {
	var out []string
	for i, one := range list {
		if i == maxListed {
			out = append(out, "and "+strconv.Itoa(len(list)-i)+" more")
			break
		}
		out = append(out, text(one))
	}
	return strings.Join(out, ", ")
}

// brief is a text of the policy, or of ours, that may be long.
func brief(s string) string { return authz.Cut(s, maxShown) }

// came says what of a token came beside what was wanted, where the method owns
// the token and rejects it.
func (j *JWT) came(rejected *Rejected, t *Token) func() string {
	switch {
	case rejected.Came != nil:
		return rejected.Came
	case rejected.Reason == authz.TokenTypeRefused:
		return func() string {
			wanted := QuoteList(j.TokenTypes)
			if j.NoType {
				wanted += " or none"
			}
			return "typ is " + orAbsent(t.HasType, t.Type) + ", wanted one of: " + wanted
		}
	case rejected.Reason == authz.KeyUnknown:
		return func() string { return signedBy(t) + "; held: " + j.held() }
	case rejected.Reason == authz.SignatureInvalid:
		return func() string {
			return signedBy(t) + "; algorithms of the policy: " + strings.Join(j.Algorithms, ", ") + "; held: " + j.held()
		}
	}
	return nil
}

func signedBy(t *Token) string {
	if t.KeyID == "" {
		return "no kid, alg " + Quote(t.Algorithm)
	}
	return "kid " + Quote(t.KeyID) + ", alg " + Quote(t.Algorithm)
}

// held says which keys the method verifies with.
func (j *JWT) held() string {
	if j.Keys == nil {
		return "the secret of the policy"
	}
	return cmp.Or(listed(jwks.Held(j.Keys), func(k jwks.Key) string {
		id := "no kid"
		if k.ID != "" {
			id = "kid " + Quote(k.ID)
		}
		return id + " (" + strings.Join(k.Algorithms, " ") + ")"
	}), "none")
}

func orAbsent(present bool, s string) string {
	if !present {
		return "absent"
	}
	return Quote(s)
}
