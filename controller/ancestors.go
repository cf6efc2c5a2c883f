package controller

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	k8sjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// maxAncestors is what status.ancestors may hold, of all controllers.
const maxAncestors = 16

// mergeAncestors replaces our entries in a list that other controllers write too,
// and keeps their places. The entries of others stay byte for byte. If the list
// has too little room, the conditions that it returns say so.
func mergeAncestors(current []jsontext.Value, r *engine.Report, now metav1.Time) (out []jsontext.Value, changed bool, conditions []metav1.Condition) {
	wanted := slices.Clone(r.Ancestors)
	foreign := 0
	for _, a := range current {
		if !isOurs(a) {
			foreign++
		}
	}
	conditions = r.Conditions
	if room := max(0, maxAncestors-foreign); room < len(wanted) {
		conditions = slices.Clone(conditions)
		accepted := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionAccepted })
		conditions[accepted].Message += fmt.Sprintf("\nit has %d Gateways, and status.ancestors has room for %d", len(wanted), room)
		wanted = wanted[:room]
	}
	for _, a := range current {
		if !isOurs(a) {
			out = append(out, a)
			continue
		}
		next, took := replaced(a, wanted, now)
		if took < 0 {
			changed = true
			continue
		}
		wanted = slices.Delete(wanted, took, took+1)
		out, changed = append(out, next), changed || !bytes.Equal(next, a)
	}
	for _, w := range wanted {
		w.Conditions, _ = merge(nil, w.Conditions, now)
		out, changed = append(out, entryOf(w)), true
	}
	return out, changed, conditions
}

// isOurs reports whether agentauth wrote an entry.
func isOurs(entry jsontext.Value) bool {
	var of struct {
		ControllerName gatewayv1.GatewayController `json:"controllerName"`
	}
	return json.UnmarshalCaseSensitivePreserveInts(entry, &of) == nil && of.ControllerName == v1alpha1.ControllerName
}

// replaced is our entry as it should be, and which of wanted it is; -1 if it is
// none of them, or cannot be read. It stays as it is if it says the same.
func replaced(entry jsontext.Value, wanted []gatewayv1.PolicyAncestorStatus, now metav1.Time) (jsontext.Value, int) {
	var is gatewayv1.PolicyAncestorStatus
	if json.UnmarshalCaseSensitivePreserveInts(entry, &is) != nil {
		return nil, -1
	}
	i := slices.IndexFunc(wanted, func(w gatewayv1.PolicyAncestorStatus) bool {
		return equality.Semantic.DeepEqual(w.AncestorRef, is.AncestorRef)
	})
	if i < 0 {
		return nil, -1
	}
	w := wanted[i]
	if w.Conditions, _ = merge(is.Conditions, w.Conditions, now); equality.Semantic.DeepEqual(w, is) {
		return entry, i
	}
	return entryOf(w), i
}

// entryOf is an entry in JSON.
func entryOf(a gatewayv1.PolicyAncestorStatus) jsontext.Value {
	data, err := k8sjson.Marshal(a)
	if err != nil {
		return jsontext.Value("null") // the API server refuses it
	}
	return data
}

// writeAncestors writes the list whole, since it has no keys by which parts of
// it could be owned: only if nobody wrote the policy meanwhile. It returns the
// resourceVersion that the policy then has.
func (s *status) writeAncestors(ctx context.Context, policy *item, ancestors []jsontext.Value) (string, error) {
	if ancestors == nil {
		ancestors = []jsontext.Value{}
	}
	version := policy.ResourceVersion
	if isOlder(version, policy.written) {
		version = policy.written
	}
	patch, err := k8sjson.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version, "uid": policy.UID},
		"status":   map[string]any{"ancestors": ancestors},
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	o := &unstructured.Unstructured{} // the answer has what others wrote, which may be odd
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	o.SetNamespace(policy.Namespace)
	o.SetName(policy.Name)
	err = s.writer.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldOwner))
	return o.GetResourceVersion(), err
}
