package authz

import (
	"strings"
	"testing"
)

func TestProblemsAreToldUpToABoundAndCountedBeyond(t *testing.T) {
	p := Problems{Ref: "Secret shop/keys"}
	for range 80_000 {
		p.Add(Problem{Severity: Unresolved, Message: "short"})
	}
	all := p.All()
	last := all[len(all)-1]
	if len(all) != MaxObjectProblems+1 || last.Severity != Unresolved || last.Ref != "Secret shop/keys" || !strings.Contains(last.Message, "79980 more") {
		t.Errorf("got %d problems, the last one is %+v", len(all), last)
	}
	if p.Len() != 80_000 {
		t.Errorf("got %d", p.Len())
	}
}

func TestTheFirstProblemOfEachSeverityIsTold(t *testing.T) {
	p := Problems{Most: 3}
	for range 10 {
		p.Add(Problem{Severity: Warning})
	}
	p.Add(Problem{Severity: Unresolved, Message: "first"})
	p.Add(Problem{Severity: Unresolved, Message: "second"})
	all := p.All()
	if len(all) != 5 || all[3].Message != "first" || all[4].Severity != Warning || !strings.Contains(all[4].Message, "8 more") {
		t.Errorf("got %+v", all)
	}
}

func TestTheTextOfAProblemIsBounded(t *testing.T) {
	var p Problems
	p.Add(Problem{Message: strings.Repeat("é", 10_000)})
	if n := len(p.All()[0].Message); n > maxProblemText+len(" …") {
		t.Errorf("got %d bytes", n)
	}
}

func TestNoProblemsAreNone(t *testing.T) {
	var p Problems
	if p.All() != nil || p.Len() != 0 {
		t.Errorf("got %v", p.All())
	}
}
