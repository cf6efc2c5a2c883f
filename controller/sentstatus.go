package controller

import (
	"github.com/go-json-experiment/json/jsontext"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
)

// policyStatus is what is read of the status of a policy. Others write there
// too: what cannot be read counts as not there, and then agentauth writes its
// own anew.
type policyStatus struct {
	Conditions []metav1.Condition
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
	return s
}

// definitionConditions are the conditions in the status of a CRD: type and
// status alone.
func definitionConditions(data jsontext.Value) (out []crdv1.CustomResourceDefinitionCondition) {
	for _, c := range listIn(data, "conditions") {
		var condition struct {
			Type   crdv1.CustomResourceDefinitionConditionType `json:"type"`
			Status crdv1.ConditionStatus                       `json:"status"`
		}
		if json.UnmarshalCaseSensitivePreserveInts(c, &condition) == nil {
			out = append(out, crdv1.CustomResourceDefinitionCondition{Type: condition.Type, Status: condition.Status})
		}
	}
	return out
}

// classConditions are the conditions of a GatewayClass that can be read.
func classConditions(data jsontext.Value) (out []metav1.Condition) {
	for _, c := range definitionConditions(data) {
		out = append(out, metav1.Condition{Type: string(c.Type), Status: metav1.ConditionStatus(c.Status)})
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
