package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// wide is a policy with a number of entries, each of a path of its own, on
// hosts that begin with its name.
func wide(name string, hostnames, matches int) *v1alpha1.AgentAuthPolicy {
	p := onHost(name, name+"-0.example.com", anonymous())
	for i := 1; i < hostnames; i++ {
		p.Spec.Routes[0].Hostnames = append(p.Spec.Routes[0].Hostnames, v1alpha1.Hostname(fmt.Sprintf("%s-%d.example.com", name, i)))
	}
	kind := gatewayv1.PathMatchPathPrefix
	for i := range matches {
		p.Spec.Routes[0].Matches = append(p.Spec.Routes[0].Matches, gatewayv1.HTTPRouteMatch{
			Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: new(fmt.Sprint("/", i))}})
	}
	return p
}

func TestAPolicyHasNoMoreEntriesThanItsShare(t *testing.T) {
	e, _ := newWorld(Options{})
	if _, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{wide("p", 16, 64)}}); len(reports[0].Problems) > 0 {
		t.Errorf("expected %d entries to be accepted, got %v", validate.MaxEntries, reports[0].Problems)
	}
	p := wide("p", 16, 64)
	p.Spec.Routes = append(p.Spec.Routes, wide("q", 1, 0).Spec.Routes[0]) // no match is one
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	e.Swap(s)
	problems := reports[0].Problems
	if len(problems) != 1 || problems[0].Severity != authz.Invalid || problems[0].Field != "spec.routes" || !strings.Contains(problems[0].Message, "at most 1024 pairs of a hostname and a match in a policy, got 1025: use") {
		t.Errorf("got %v", problems)
	}
	if held := entriesHeld(s); held != 17 {
		t.Errorf("expected an entry for each host, got %d", held)
	}
	for _, host := range []string{"p-15.example.com", "q-0.example.com"} {
		decided(t, e.Decide(t.Context(), get(host, "/63")), authz.Error, 503, authz.PolicyInvalid)
	}
}

// entriesHeld counts the entries of all policies.
func entriesHeld(s *Snapshot) (held int) {
	for _, n := range s.find.Order() {
		held += len(s.find.Policy(n).Entries)
	}
	return held
}

// A namespace fills the index of every replica with no more than its share, also
// by policies that are invalid. The older policies keep theirs.
func TestANamespaceHasNoMoreEntriesThanItsShare(t *testing.T) {
	for _, valid := range []bool{true, false} {
		e, _ := newWorld(Options{})
		var in Input
		for i := range 66 {
			p := wide(fmt.Sprint("p", i), 16, 64)
			p.CreationTimestamp = metav1.NewTime(clock.Add(time.Duration(i) * time.Second))
			if !valid {
				p.Spec.Authentication.Methods = nil
			}
			in.Policies = append([]*v1alpha1.AgentAuthPolicy{p}, in.Policies...)
		}
		other := wide("other", 16, 64)
		other.Namespace, other.CreationTimestamp = "bank", metav1.NewTime(clock.Add(time.Hour))
		in.Policies = append(in.Policies, other)
		s, reports := e.Compile(in)
		e.Swap(s)
		if held := entriesHeld(s); held != find.MaxNamespaceEntries+2*16+1024 {
			t.Errorf("valid %t: expected the share, 16 hostnames of 2 policies and the other namespace's, got %d", valid, held)
		}
		for name, over := range map[string]bool{"p0": false, "p63": false, "p64": true, "p65": true, "other": false} {
			said := strings.Contains(fmt.Sprint(named(reports, name).Problems), "expected at most 65536 pairs of a hostname and a match in all policies of a namespace, got 66560 with this policy")
			if said != over {
				t.Errorf("valid %t: %s: got %v", valid, name, named(reports, name).Problems)
			}
		}
		decided(t, e.Decide(t.Context(), get("p64-3.example.com", "/5")), authz.Error, 503, authz.PolicyInvalid)
		if valid {
			decided(t, e.Decide(t.Context(), get("p63-3.example.com", "/5")), authz.Allow, 0, authz.Allowed)
			decided(t, e.Decide(t.Context(), get("other-3.example.com", "/5")), authz.Allow, 0, authz.Allowed)
		}
		again, same := e.Compile(in)
		if !reflect.DeepEqual(reports, same) {
			t.Error("expected the reports to stay as they are")
		}
		e.Swap(again)
		in.Policies = in.Policies[2:] // the two that are over the bound are the first
		if s, reports = e.Compile(in); strings.Contains(fmt.Sprint(reports), "at most 65536") || entriesHeld(s) != find.MaxNamespaceEntries+1024 {
			t.Errorf("valid %t: expected all to be within the bound", valid)
		}
	}
}

func TestANamespaceHasNoMoreRegularExpressionsThanItsShare(t *testing.T) {
	e, _ := newWorld(Options{})
	var in Input
	for i := range find.MaxNamespacePatterns/validate.MaxPatterns + 1 {
		p := expressions(validate.MaxPatterns)
		p.Name, p.CreationTimestamp = fmt.Sprint("p", i), metav1.NewTime(clock.Add(time.Duration(i)*time.Second))
		in.Policies = append(in.Policies, p)
	}
	_, reports := e.Compile(in)
	for i, r := range reports {
		said := strings.Contains(fmt.Sprint(r.Problems), "expected at most 4096 regular expressions in matches in all policies of a namespace, got 4352 with this policy")
		if over := i == len(reports)-1; said != over {
			t.Errorf("%s: got %v", r.Policy, r.Problems)
		}
	}
}
