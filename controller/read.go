package controller

import (
	stdjson "encoding/json"
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// received is a policy as the API server sends it. A CRD that is newer than
// this binary lets fields in that are not known here; each may be a
// restriction, so what there is of them is noted, and not left out in silence
// as by any other decoder.
type received struct{ v1alpha1.AgentAuthPolicy }

// UnmarshalJSON notes the fields of spec that are not known, or are of another
// type: as an error, one of them would keep every policy of a list from being
// read.
func (r *received) UnmarshalJSON(data []byte) error {
	strict, err := json.UnmarshalStrict(data, &r.AgentAuthPolicy, json.DisallowUnknownFields)
	var mistyped *stdjson.UnmarshalTypeError
	if errors.As(err, &mistyped) && (mistyped.Field == "spec" || strings.HasPrefix(mistyped.Field, "spec.")) {
		r.Spec.Unread = append(r.Spec.Unread, mistyped.Field)
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range strict {
		var at json.FieldError
		if errors.As(s, &at) && strings.HasPrefix(at.FieldPath(), "spec.") {
			r.Spec.Unread = append(r.Spec.Unread, at.FieldPath())
		}
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
