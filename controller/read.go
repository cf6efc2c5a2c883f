package controller

import (
	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// received is a policy as the API server sends it. A CRD that is newer than
// this binary admits fields that this binary does not know. Each of them may be
// a restriction, so their paths are kept in spec.Unread; any other decoder would
// drop them in silence.
type received struct{ v1alpha1.AgentAuthPolicy }

// UnmarshalJSON reads the spec as far as it can be read. A spec of another type
// is no error: it would keep every policy of a list from being read.
func (r *received) UnmarshalJSON(data []byte) error {
	var o struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              jsontext.Value        `json:"spec"`
		Status            v1alpha1.PolicyStatus `json:"status"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &o); err != nil {
		return err
	}
	r.AgentAuthPolicy = v1alpha1.AgentAuthPolicy{TypeMeta: o.TypeMeta, ObjectMeta: o.ObjectMeta, Status: o.Status}
	if len(o.Spec) > 0 {
		manifest.Spec(o.Spec, &r.Spec) // problems are told by the report: spec.Unread has them
	}
	return nil
}

// DeepCopyObject makes it an object of a scheme.
func (r *received) DeepCopyObject() runtime.Object { return &received{*r.DeepCopy()} }

// receivedList is a list of them.
type receivedList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []received `json:"items"`
}

// DeepCopyObject makes it an object of a scheme.
func (l *receivedList) DeepCopyObject() runtime.Object {
	out := &receivedList{l.TypeMeta, *l.ListMeta.DeepCopy(), make([]received, len(l.Items))}
	for i := range l.Items {
		out.Items[i] = received{*l.Items[i].DeepCopy()}
	}
	return out
}

// addReceived makes policies of a scheme be read like this.
func addReceived(scheme *runtime.Scheme) {
	scheme.AddKnownTypeWithName(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind), &received{})
	scheme.AddKnownTypeWithName(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind+"List"), &receivedList{})
	metav1.AddToGroupVersion(scheme, v1alpha1.GroupVersion)
}
