package main

import "testing"

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
