package cases

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/reviews"
)

// apiServer is an API server as if it were asked. Its tokens are of
// https://cluster.example.com and say in `sub` whose they are. A token with the claim
// `is` of "gone" holds no more; about one of "down" nobody answers. The account
// reader of namespace shop may get orders, and the user idp:alice, and the group
// idp:staff.
type apiServer struct{}

func (apiServer) Issuer() string { return "https://cluster.example.com" }
func (apiServer) Find() <-chan struct{} {
	tried := make(chan struct{})
	close(tried)
	return tried
}

func (apiServer) ReviewToken(_ context.Context, token string, audiences []string) (reviews.Token, error) {
	t, err := authn.ParseToken(token)
	if err != nil || t.Issuer != "https://cluster.example.com" {
		return reviews.Token{}, errors.New("expected a token of the cluster: another must not be shown to the API server")
	}
	var has []string
	for _, a := range t.Claims["aud"].([]any) {
		if slices.Contains(audiences, a.(string)) {
			has = append(has, a.(string))
		}
	}
	sub, _ := t.Claims["sub"].(string)
	out := reviews.Token{Authenticated: true, Username: sub, UID: "uid-1", Audiences: has, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"},
		Extra: map[string][]string{
			"authentication.kubernetes.io/pod-name":      {"robot-7"},
			"authentication.kubernetes.io/node-name":     {"node-1"},
			"authentication.kubernetes.io/credential-id": {"JTI=token-1"},
		}}
	switch t.Claims["is"] {
	case "gone":
		return reviews.Token{}, nil
	case "down":
		return reviews.Token{}, errors.New("it cannot be reached")
	case "forbidden":
		return reviews.Token{}, reviews.ErrForbidden
	case "the-api-servers": // what an API server answers that does not know audiences
		out.Audiences = nil
	}
	return out, nil
}

func (apiServer) ReviewAccess(_ context.Context, q reviews.Question) (bool, error) {
	if q.Resource.Resource == "outages" {
		return false, errors.New("it cannot be reached")
	}
	if q.Namespace != "shop" || q.Group != "shop.example.com" || q.Resource.Resource != "orders" || q.Verb != "get" && q.Verb != "refund" {
		return false, nil
	}
	who := q.Username == "system:serviceaccount:shop:reader" && q.UID == "uid-1" && len(q.Extra) == 3 && slices.Contains(q.Groups, "system:authenticated") ||
		q.Username == "idp:alice" && q.UID == "" || slices.Contains(q.Groups, "idp:staff")
	return who && (q.Name == "" || strings.HasPrefix(q.Name, "small-")), nil
}
