package engine

import "fmt"

// Step is one step of a decision, told for people.
type Step struct {
	// Stage is request, match, authenticate, authorize or respond.
	Stage string `json:"stage"`
	// Text never holds a credential.
	Text string `json:"text"`
}

// recorder collects steps; a nil one costs nothing.
type recorder struct{ steps []Step }

func (r *recorder) add(stage, format string, args ...any) {
	if r != nil {
		r.steps = append(r.steps, Step{Stage: stage, Text: fmt.Sprintf(format, args...)})
	}
}
