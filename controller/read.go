package controller

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// received is an object of a kind that a CRD defines, as the API server sends
// it. Its parts are read one by one, and only those that are needed: what
// somebody wrote into one object keeps no other object of a list or a watch from
// being read. Kinds of the API server itself come in its own encoding, which is
// never odd.
type received struct {
	metav1.TypeMeta
	metav1.ObjectMeta // what is needed of it

	spec, status jsontext.Value
	// unreadable says why the object cannot be read; "" if its metadata can.
	unreadable string
}

// sentMeta is what is needed of the metadata of an object.
type sentMeta struct {
	Name              string         `json:"name"`
	Namespace         string         `json:"namespace"`
	UID               types.UID      `json:"uid"`
	ResourceVersion   string         `json:"resourceVersion"`
	Generation        int64          `json:"generation"`
	CreationTimestamp *string        `json:"creationTimestamp"`
	DeletionTimestamp *string        `json:"deletionTimestamp"`
	Annotations       jsontext.Value `json:"annotations"`
}

// UnmarshalJSON reads metadata and keeps spec and status as they are. It returns
// no error: that would be an error of the whole list.
func (r *received) UnmarshalJSON(data []byte) error {
	var o struct {
		Metadata jsontext.Value `json:"metadata"`
		Spec     jsontext.Value `json:"spec"`
		Status   jsontext.Value `json:"status"`
	}
	*r = received{}
	var m sentMeta
	err := json.UnmarshalCaseSensitivePreserveInts(data, &o)
	if err == nil && len(o.Metadata) > 0 {
		err = json.UnmarshalCaseSensitivePreserveInts(o.Metadata, &m)
	}
	r.spec, r.status = o.Spec, o.Status
	r.ObjectMeta = metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation}
	if m.CreationTimestamp != nil {
		// Letters of lower case are as good to the API server.
		at, odd := time.Parse(time.RFC3339, strings.ToUpper(*m.CreationTimestamp))
		if odd != nil && err == nil {
			err = fmt.Errorf("expected a time as creationTimestamp: %w", odd)
		}
		r.CreationTimestamp = metav1.NewTime(at.Local())
	}
	if m.DeletionTimestamp != nil {
		r.DeletionTimestamp = &metav1.Time{}
	}
	var annotations map[string]string
	if len(m.Annotations) > 0 && json.UnmarshalCaseSensitivePreserveInts(m.Annotations, &annotations) == nil && annotations[metav1.InitialEventsAnnotationKey] != "" {
		r.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: annotations[metav1.InitialEventsAnnotationKey]}
	}
	if err != nil {
		r.unreadable = "metadata: " + err.Error()
	}
	return nil
}

// as reads the object as one of the kind, without its status. A policy can
// always be read: spec.Unread has the paths of what cannot, and each of them may
// be a restriction.
func (r *received) as(kind client.Object) (client.Object, error) {
	out := kind.DeepCopyObject().(client.Object)
	var parts []string
	switch o := out.(type) {
	case *v1alpha1.AgentAuthPolicy:
		if len(r.spec) > 0 {
			manifest.Spec(r.spec, &o.Spec) // the report says what is wrong
		}
	case *crdv1.CustomResourceDefinition:
		if isRead(r.Name) {
			parts = part(parts, "spec", r.spec)
			for _, c := range conditionsIn(r.status) {
				o.Status.Conditions = append(o.Status.Conditions, crdv1.CustomResourceDefinitionCondition{
					Type: crdv1.CustomResourceDefinitionConditionType(c.Type), Status: crdv1.ConditionStatus(c.Status)})
			}
		}
	case *gatewayv1.GatewayClass:
		o.Status.Conditions = conditionsIn(r.status)
	default:
		parts = part(parts, "spec", r.spec)
	}
	if len(parts) > 0 {
		if err := json.UnmarshalCaseSensitivePreserveInts([]byte("{"+strings.Join(parts, ",")+"}"), out); err != nil {
			return nil, err
		}
	}
	out.SetName(r.Name)
	out.SetNamespace(r.Namespace)
	out.SetUID(r.UID)
	out.SetGeneration(r.Generation)
	out.SetCreationTimestamp(r.CreationTimestamp)
	return out, nil
}

func part(parts []string, name string, value jsontext.Value) []string {
	if len(value) == 0 {
		return parts
	}
	return append(parts, `"`+name+`":`+string(value))
}

// DeepCopyObject makes it an object of a scheme.
func (r *received) DeepCopyObject() runtime.Object {
	return &received{r.TypeMeta, *r.ObjectMeta.DeepCopy(), r.spec.Clone(), r.status.Clone(), r.unreadable}
}

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
		out.Items[i] = *l.Items[i].DeepCopyObject().(*received)
	}
	return out
}

// addReceived makes objects of a kind be read like this.
func addReceived(scheme *runtime.Scheme, kind schema.GroupVersionKind) {
	scheme.AddKnownTypeWithName(kind, &received{})
	scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &receivedList{})
	metav1.AddToGroupVersion(scheme, kind.GroupVersion())
}
