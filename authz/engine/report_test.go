package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/report"
)

// certificate is a CA in PEM.
func certificate(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: clock.Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func older(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.CreationTimestamp = metav1.NewTime(clock.Add(-time.Hour))
	return p
}

func newer(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.CreationTimestamp = metav1.NewTime(clock)
	return p
}

func TestEveryReasonOfAConditionOccurs(t *testing.T) {
	hmac := func(secret string) v1alpha1.Method {
		return v1alpha1.Method{Name: "agents", JWT: &v1alpha1.JWT{AnyIssuer: true, AnyAudience: true,
			HMAC: &v1alpha1.HMAC{SecretRef: v1alpha1.ObjectKeyReference{Name: secret}}}}
	}
	half := newer(onHost("half", "first.example.com", anonymous()))
	half.Spec.Routes[0].Hostnames = append(half.Spec.Routes[0].Hostnames, "half.example.com")
	unlabelled := alice("unlabelled")
	unlabelled.Labels = nil
	in := Input{
		Policies: []*v1alpha1.AgentAuthPolicy{
			newer(onHost("late", "first.example.com", anonymous())), half, older(onHost("first", "first.example.com", anonymous())),
			onHost("invalid", "invalid.example.com"),
			onHost("missing", "missing.example.com", staff("nowhere")),
			onHost("unlabelled", "unlabelled.example.com", staff("unlabelled")),
			onHost("wrong-use", "wrong-use.example.com", hmac("staff")),
			onHost("no-key", "no-key.example.com", hmac("empty")),
			onHost("short", "short.example.com", hmac("short")),
			onHost("newline", "newline.example.com", hmac("newline")),
			onHost("pem", "pem.example.com", hmac("pem")),
			onHost("bad-key", "bad-key.example.com", keys("bad")),
			onHost("fine", "fine.example.com", staff("staff"), hmac("good")),
			onHost("all", "*", staff("staff")),
			targeting(onHost("no-target", "", anonymous()), "HTTPRoute", "nothing", ""),
			targeting(onHost("replaced", "", anonymous()), "Gateway", "edge", ""),
			overriding(targeting(onHost("replacing", "", anonymous()), "Gateway", "edge", "")),
		},
		Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "edge.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "edge", names("edge.example.com"), "edge")}},
		Secrets: []*Object{
			alice("staff"), unlabelled, object("empty", v1alpha1.UseHMAC, nil), robot("bad", "bad", robotKey, robotKey),
			object("short", v1alpha1.UseHMAC, map[string]string{"secret": "hunter2-is-the-secret"}),
			object("newline", v1alpha1.UseHMAC, map[string]string{"secret": "hunter2-is-the-secret-and-it-is-long-enough\n"}),
			object("pem", v1alpha1.UseHMAC, map[string]string{"secret": "-----BEGIN PUBLIC KEY-----\nhunter2-is-in-it\n-----END PUBLIC KEY-----"}),
			object("good", v1alpha1.UseHMAC, map[string]string{"secret": "hunter2-is-the-secret-and-it-is-long-enough"}),
		},
	}
	want := map[string][3]string{ // Accepted, ResolvedRefs, Programmed; Ready is the first of them that is False
		"first":      {"True Accepted", "True ResolvedRefs", "True Programmed"},
		"half":       {"True PartiallyConflicted", "True ResolvedRefs", "True Programmed"},
		"late":       {"False Conflicted", "True ResolvedRefs", "False NotAccepted"},
		"invalid":    {"False Invalid", "True ResolvedRefs", "False NotAccepted"},
		"missing":    {"True Accepted", "False RefNotFound", "True Programmed"},
		"unlabelled": {"True Accepted", "False RefNotFound", "True Programmed"},
		"wrong-use":  {"True Accepted", "False RefNotPermitted", "True Programmed"},
		"no-key":     {"True Accepted", "False RefInvalid", "True Programmed"},
		"short":      {"True Accepted", "False RefInvalid", "True Programmed"},
		"newline":    {"True Accepted", "False RefInvalid", "True Programmed"},
		"pem":        {"True Accepted", "False RefInvalid", "True Programmed"},
		"bad-key":    {"True Accepted", "False RefInvalid", "True Programmed"},
		"fine":       {"True Accepted", "True ResolvedRefs", "True Programmed"},
		"no-target":  {"False TargetNotFound", "True ResolvedRefs", "False NotAccepted"},
		"replaced":   {"False Overridden", "True ResolvedRefs", "False NotAccepted"},
		"replacing":  {"True Accepted", "True ResolvedRefs", "True Programmed"},
		"all":        {"False NotPermitted", "True ResolvedRefs", "False NotAccepted"},
	}
	e, _ := newWorld(Options{})
	_, reports := e.Compile(in)
	seen := map[string][]string{}
	for _, r := range reports {
		kinds := [4]string{v1alpha1.ConditionReady, v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed}
		others := want[r.Policy.Name]
		want := append([]string{"True Ready"}, others[:]...)
		worst := slices.IndexFunc(want, func(s string) bool { return strings.HasPrefix(s, "False") })
		if worst > 0 {
			want[0] = want[worst]
		}
		if len(r.Conditions) != len(kinds) {
			t.Fatalf("%s: got %v", r.Policy, r.Conditions)
		}
		for i, c := range r.Conditions {
			if got := string(c.Status) + " " + c.Reason; c.Type != kinds[i] || got != want[i] {
				t.Errorf("%s: expected %s %s, got %s %s", r.Policy, kinds[i], want[i], c.Type, got)
			}
			if c.ObservedGeneration != 1 || c.Message == "" || strings.Contains(c.Message, "hunter2") {
				t.Errorf("%s: got generation %d and the message %q", r.Policy, c.ObservedGeneration, c.Message)
			}
			seen[c.Reason] = append(seen[c.Reason], c.Message)
		}
		if worst > 0 && r.Conditions[0].Message != r.Conditions[worst].Message {
			t.Errorf("%s: expected the message of %s, got %q", r.Policy, kinds[worst], r.Conditions[0].Message)
		}
	}
	for _, reason := range reasons(t) {
		if seen[reason] == nil {
			t.Errorf("no policy here has the reason %s", reason)
		}
	}
	documented(t, seen)
}

// reasons are the values of all constants Reason… of the API.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Reason") {
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, value)
		}
		return true
	})
	if len(out) < 8 {
		t.Fatalf("only %v were found", out)
	}
	return out
}

func TestTheLaterOfTwoEqualMatchesLosesWhateverTheOrderOfFiles(t *testing.T) {
	policies := []*v1alpha1.AgentAuthPolicy{
		newer(onHost("a", "api.example.com", anonymous())), older(onHost("z", "api.example.com", keys("x"))), older(onHost("y", "api.example.com", keys("x"))),
	}
	for i := range policies {
		rotated := append(append([]*v1alpha1.AgentAuthPolicy{}, policies[i:]...), policies[:i]...)
		e, _ := newWorld(Options{})
		s, reports := e.Compile(Input{Policies: rotated})
		e.Swap(s)
		if d := e.Decide(t.Context(), get("api.example.com", "/")); d.Policy != "shop/y" {
			t.Errorf("expected the older, then the first by name to decide, got %s", d.Policy)
		}
		p := named(reports, "a").Problems
		if len(p) != 1 || p[0].Severity != authz.Conflicting || !strings.Contains(p[0].Message, "shop/y") {
			t.Errorf("got %v", p)
		}
	}
}

func TestAConditionHasABoundedMessage(t *testing.T) {
	p := onHost("p", "api.example.com", anonymous())
	for range 64 {
		p.Spec.Routes = append(p.Spec.Routes, v1alpha1.Route{Hostnames: []v1alpha1.Hostname{"NOT A HOST é"},
			Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new(strings.Repeat("é", 500))}}}})
	}
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	if n := len(reports[0].Conditions[1].Message); n < report.MaxMessage-10 || n > report.MaxMessage+10 {
		t.Errorf("expected about %d bytes, got %d", report.MaxMessage, n)
	}
}
