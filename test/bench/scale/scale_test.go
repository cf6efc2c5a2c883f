package main

import (
	"runtime"
	"strings"
	"testing"
)

// The figures of the command are of loads that are in force whole, and of requests that are decided as they should.
func TestWhatIsMeasuredIsInForce(t *testing.T) {
	for name, measure := range map[string]func() (string, error){
		"policies": func() (string, error) { return measurePolicies(t.Context(), 200) },
		"targets":  func() (string, error) { return measureTargets(t.Context(), 100) },
		"keys":     func() (string, error) { return measureKeys(t.Context(), 3000) },
	} {
		if row, err := measure(); err != nil || row == "" {
			t.Errorf("%s: got %q, %v", name, row, err)
		}
	}
}

// maxBeyondText is what a policy with a rule of its own may take of memory beyond the text of its manifest: its
// object, and what is compiled of it.
const maxBeyondText = 4096

func TestAPolicyTakesAtMostFourKiBBeyondItsText(t *testing.T) {
	load := func(n int) (p *product, text int) {
		in, text := many(n)
		p = newProduct()
		if _, err := p.load(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return p, text
	}
	load(perNamespace) // what all policies share is made once
	const n = 4000
	before := heap()
	p, text := load(n)
	each := (heap() - before - text) / n
	if runtime.KeepAlive(p); each > maxBeyondText {
		t.Errorf("expected at most %d bytes for each policy beyond its text of %d bytes, got %d", maxBeyondText, text/n, each)
	}
	t.Logf("%d bytes for each policy beyond its text of %d bytes", each, text/n)
}

func TestNumbersAreReadBeforeAnythingIsMeasured(t *testing.T) {
	for want, s := range map[string]sizes{
		"-keys: expected numbers":          {policies: "1000000000", keys: "many"},
		"-files: expected at most 70000":   {policies: "1000000000", files: "10,5000000"},
		`-policies: expected numbers from`: {policies: "0"},
	} {
		if err := run(t.Context(), s, "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %s, got %v", want, err)
		}
	}
}
