package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// apiServer answers about tokens and counts the questions.
type apiServer struct {
	asked  int
	answer Answer
}

func (s *apiServer) Introspect(context.Context, Question) (*Answer, error) {
	s.asked++
	a := s.answer
	return &a, nil
}

func good() Answer {
	return Answer{Active: true, Asked: time.Unix(1_800_000_000, 0), Claims: map[string]any{
		"username": "system:serviceaccount:shop:robot", "uid": "1", "audiences": []any{"orders"}, "groups": []any{"g"},
		"extra": map[string]any{"x": []any{"y"}}}}
}

func unsigned(claims string) *Presented {
	enc := base64.RawURLEncoding.EncodeToString
	return &Presented{Value: enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + ".AAAA", Time: time.Unix(1_800_000_000, 0)}
}

func clusterTokens(s *apiServer, issuer string) *KubernetesToken {
	return &KubernetesToken{Method: "m", Issuer: func() string { return issuer }, Server: s, Audiences: []string{"orders"}, CacheTTL: 30 * time.Second, OtherIssuers: []string{"idp"}}
}

// Whoever sends garbage must not make agentauth call the API server.
func TestATokenThatDoesNotHoldByItselfCostsNoCall(t *testing.T) {
	s := &apiServer{answer: good()}
	k := clusterTokens(s, "cluster")
	for claims, want := range map[string]authz.Reason{
		`{"iss":"idp","aud":"orders","exp":1800003600}`:                      "",
		`{"aud":"orders","exp":1800003600}`:                                  "",
		`{"iss":"cluster","aud":"billing","exp":1800003600}`:                 authz.AudienceMismatch,
		`{"iss":"cluster","exp":1800003600}`:                                 authz.AudienceMismatch,
		`{"iss":"cluster","aud":"orders"}`:                                   authz.CredentialMalformed,
		`{"iss":"cluster","aud":"orders","exp":"soon"}`:                      authz.CredentialMalformed,
		`{"iss":"cluster","aud":"orders","exp":1799999970}`:                  authz.TokenExpired,
		`{"iss":"cluster","aud":"orders","exp":1800003600,"nbf":1800000031}`: authz.TokenNotYetValid,
	} {
		_, err := k.Verify(t.Context(), unsigned(claims))
		var rejected *Rejected
		if want == "" && !errors.Is(err, ErrNotMine) || want != "" && (!errors.As(err, &rejected) || rejected.Reason != want) {
			t.Errorf("%s: expected %s, got %v", claims, want, err)
		}
	}
	if s.asked != 0 {
		t.Errorf("expected no call, got %d", s.asked)
	}
}

func TestBeforeTheIssuerIsKnownNothingIsDecidedOfATokenThatMayBeTheClusters(t *testing.T) {
	s := &apiServer{answer: good()}
	k := clusterTokens(s, "")
	var down *Unavailable
	if _, err := k.Verify(t.Context(), unsigned(`{"iss":"cluster","aud":"orders","exp":1800003600}`)); !errors.As(err, &down) || down.RetryAfter == 0 {
		t.Errorf("expected Unavailable, got %v", err)
	}
	if _, err := k.Verify(t.Context(), unsigned(`{"iss":"idp","aud":"orders","exp":1800003600}`)); !errors.Is(err, ErrNotMine) {
		t.Errorf("a token of another method: expected ErrNotMine, got %v", err)
	}
	if _, ok := k.State(); ok {
		t.Error("what was kept may be used")
	}
	if s.asked != 0 {
		t.Errorf("expected no call, got %d", s.asked)
	}
	j := &JWT{AnyIssuer: true, Cluster: k.Issuer}
	if j.owns(&Token{Issuer: "cluster", HasIssuer: true}) || !j.owns(&Token{}) {
		t.Error("a method of any issuer takes a token that may be the cluster's, or not one that says nothing")
	}
}

func TestATokenOfTheClusterIsUsedNoLongerThanTheAnswerAndItself(t *testing.T) {
	for claims, want := range map[string]int64{
		`{"iss":"cluster","aud":"orders","exp":1800003600}`: 1_800_000_030,
		`{"iss":"cluster","aud":"orders","exp":1800000010}`: 1_800_000_010,
	} {
		k := clusterTokens(&apiServer{answer: good()}, "cluster")
		v, err := k.Verify(t.Context(), unsigned(claims))
		if err != nil || k.Ends(v).Unix() != want {
			t.Errorf("%s: expected an end at %d, got %v, %v", claims, want, v, err)
		}
		uid, extra := Account(&v.Identity)
		if uid != "1" || fmt.Sprint(extra) != "map[x:[y]]" {
			t.Errorf("got %s, %v", uid, extra)
		}
	}
}

func TestAnAnswerThatNamesNoServiceAccountIsNoAnswer(t *testing.T) {
	for _, username := range []string{"", "admin", "system:serviceaccount:", "system:serviceaccount:shop", "system:serviceaccount::robot", "system:serviceaccount:shop:"} {
		s := &apiServer{answer: good()}
		s.answer.Claims["username"] = username
		var down *Unavailable
		if _, err := clusterTokens(s, "cluster").Verify(t.Context(), unsigned(`{"iss":"cluster","aud":"orders","exp":1800003600}`)); !errors.As(err, &down) {
			t.Errorf("%q: expected Unavailable, got %v", username, err)
		}
	}
}

func TestTheMethodForTokensOfTheClusterKeepsByAllThatItAsks(t *testing.T) {
	method := func() *KubernetesToken { return clusterTokens(&apiServer{}, "cluster") }
	before, ok := method().Inputs()
	if again, _ := method().Inputs(); !ok || again != before {
		t.Fatal("equal methods have different inputs")
	}
	for name, change := range map[string]func(*KubernetesToken){
		"Method": func(k *KubernetesToken) { k.Method = "n" }, "ServerID": func(k *KubernetesToken) { k.ServerID[0] = 1 },
		"Audiences": func(k *KubernetesToken) { k.Audiences = []string{"x"} }, "CacheTTL": func(k *KubernetesToken) { k.CacheTTL = time.Second },
	} {
		k := method()
		change(k)
		if after, ok := k.Inputs(); !ok || after == before {
			t.Errorf("%s is no input", name)
		}
	}
	for name, change := range map[string]func(*KubernetesToken){
		"no CacheTTL": func(k *KubernetesToken) { k.CacheTTL = 0 }, "nobody is asked": func(k *KubernetesToken) { k.Missing = "no cluster" },
	} {
		k := method()
		change(k)
		if _, ok := k.Inputs(); ok {
			t.Errorf("%s: something may be kept", name)
		}
	}
	a, _ := method().State()
	if b, _ := clusterTokens(&apiServer{}, "another").State(); a == b {
		t.Error("the issuer is not of the State")
	}
	kept := func(iss string) *Verified {
		return &Verified{token: true, Identity: authz.Identity{Claims: map[string]any{"iss": iss}}}
	}
	if k := method(); !k.Disowns(kept("idp")) || k.Disowns(kept("cluster")) {
		t.Error("a token of another issuer is not disowned, or one of the cluster is")
	}
}
