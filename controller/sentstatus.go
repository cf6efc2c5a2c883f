package controller

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
)

// policyStatus is what is read of the status of a policy. Others write there
// too: what cannot be read counts as not there, and then agentauth writes its
// own anew.
type policyStatus struct {
	ObservedGeneration int64
	Conditions         []metav1.Condition
	// Ancestors are as they came, byte for byte: most may be somebody else's.
	Ancestors []jsontext.Value
}

// readStatus reads the status of a policy.
func readStatus(data jsontext.Value) (s policyStatus) {
	for _, c := range listIn(data, "conditions") {
		var condition metav1.Condition
		if json.UnmarshalCaseSensitivePreserveInts(c, &condition) == nil {
			s.Conditions = append(s.Conditions, condition)
		}
	}
	s.Ancestors = listIn(data, "ancestors")
	var fields struct {
		ObservedGeneration jsontext.Value `json:"observedGeneration"`
	}
	if len(data) > 0 && json.UnmarshalCaseSensitivePreserveInts(data, &fields) == nil {
		s.ObservedGeneration, _ = strconv.ParseInt(string(fields.ObservedGeneration), 10, 64)
	}
	return s
}

// conditionsIn are the conditions in a status: type and status alone, since that
// is all that is needed of those of others.
func conditionsIn(data jsontext.Value) (out []metav1.Condition) {
	for _, c := range listIn(data, "conditions") {
		var condition struct {
			Type   string                 `json:"type"`
			Status metav1.ConditionStatus `json:"status"`
		}
		if json.UnmarshalCaseSensitivePreserveInts(c, &condition) == nil {
			out = append(out, metav1.Condition{Type: condition.Type, Status: condition.Status})
		}
	}
	return out
}

// listIn is the list that a field of a status holds; nil if there is none.
func listIn(data jsontext.Value, name string) (list []jsontext.Value) {
	var fields map[string]jsontext.Value
	if len(data) == 0 || json.UnmarshalCaseSensitivePreserveInts(data, &fields) != nil || len(fields[name]) == 0 {
		return nil
	}
	if json.UnmarshalCaseSensitivePreserveInts(fields[name], &list) != nil {
		return nil
	}
	return list
}
