package main

import "github.com/agentauth-dev/agentauth/authz"

// explained is a step as check --explain -o json prints it.
type explained struct {
	authz.Step
	Text string `json:"text"`
}

func explain(steps []authz.Step) []explained {
	var out []explained
	for _, s := range steps {
		out = append(out, explained{s, sentence(s)})
	}
	return out
}

// sentence tells a step to people.
func sentence(s authz.Step) string {
	switch s.Stage {
	case authz.StageMatch:
		return matchSentence(s)
	case authz.StageAuthenticate:
		return methodSentence(s)
	case authz.StageAuthorize:
		return ruleSentence(s)
	case authz.StageRequest, authz.StageMCP, authz.StageRespond, authz.StageShadow:
	}
	if s.Outcome == authz.StepRefused {
		return "refused: " + s.Detail
	}
	return s.Detail
}

func matchSentence(s authz.Step) string {
	switch {
	case s.Outcome == authz.StepNone:
		return "no policy matches " + s.Read
	case s.Outcome == authz.StepServed:
		return s.Read + " is served by " + s.Detail
	case s.Outcome == authz.StepNamed:
		return "policy " + s.Name + " is named by " + s.Read
	case s.Outcome == authz.StepFound && s.Read != "":
		return "policy " + s.Name + " has the most specific match for " + s.Read
	case s.Outcome == authz.StepFound:
		return "policy " + s.Name + " decides"
	}
	return s.Detail
}

func methodSentence(s authz.Step) string {
	method := "method " + s.Name
	switch s.Outcome {
	case authz.StepSucceeded:
		return method + " succeeded: " + s.Detail
	case authz.StepRejected:
		return method + " rejected the credential in the " + s.Read + ": " + s.Detail
	case authz.StepUnavailable:
		return method + " cannot check the credential in the " + s.Read + ": " + s.Detail
	case authz.StepNotMine:
		return method + " does not know the credential in the " + s.Read
	case authz.StepNotApplicable:
		return method + " does not apply: a credential came"
	case authz.StepAbsent:
		return method + " found no credential"
	default:
		return "refused: " + s.Detail
	}
}

func ruleSentence(s authz.Step) string {
	rule := "rule " + s.Name
	switch s.Outcome {
	case authz.StepHolds:
		return rule + " holds: true"
	case authz.StepFails:
		return rule + " holds: false"
	case authz.StepNotApplicable:
		return rule + " does not apply"
	case authz.StepMissing:
		return "scopes are missing: " + s.Read
	default:
		return rule + ": " + s.Detail
	}
}
