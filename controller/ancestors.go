package controller

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// maxAncestors is what status.ancestors may hold, of all controllers.
const maxAncestors = 16

// mergeAncestors replaces our entries in a list that other controllers write too,
// and keeps their places. If the list has too little room, the conditions that it
// returns say so.
func mergeAncestors(current []gatewayv1.PolicyAncestorStatus, r *engine.Report, now metav1.Time) ([]gatewayv1.PolicyAncestorStatus, []metav1.Condition) {
	wanted := slices.Clone(r.Ancestors)
	foreign := 0
	for _, a := range current {
		if a.ControllerName != v1alpha1.ControllerName {
			foreign++
		}
	}
	conditions := r.Conditions
	if room := max(0, maxAncestors-foreign); room < len(wanted) {
		conditions = slices.Clone(conditions)
		conditions[0].Message += fmt.Sprintf("\nit has %d Gateways, and status.ancestors has room for %d", len(wanted), room)
		wanted = wanted[:room]
	}
	var out []gatewayv1.PolicyAncestorStatus
	for _, a := range current {
		if a.ControllerName != v1alpha1.ControllerName {
			out = append(out, a)
			continue
		}
		i := slices.IndexFunc(wanted, func(w gatewayv1.PolicyAncestorStatus) bool {
			return equality.Semantic.DeepEqual(w.AncestorRef, a.AncestorRef)
		})
		if i >= 0 {
			w := wanted[i]
			w.Conditions, _ = merge(a.Conditions, w.Conditions, now)
			out = append(out, w)
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	for _, w := range wanted {
		w.Conditions, _ = merge(nil, w.Conditions, now)
		out = append(out, w)
	}
	return out, conditions
}

// writeAncestors writes the list whole, since it has no keys by which parts of
// it could be owned: only if nobody wrote the policy meanwhile. It returns the
// resourceVersion that the policy then has.
func (s *status) writeAncestors(ctx context.Context, policy *item, ancestors []gatewayv1.PolicyAncestorStatus) (string, error) {
	if ancestors == nil {
		ancestors = []gatewayv1.PolicyAncestorStatus{}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": policy.ResourceVersion, "uid": policy.UID},
		"status":   map[string]any{"ancestors": ancestors},
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	o := &v1alpha1.AgentAuthPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: policy.Namespace, Name: policy.Name}}
	err = s.writer.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldOwner))
	return o.ResourceVersion, err
}
