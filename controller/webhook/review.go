package webhook

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// request is what is read of an AdmissionReview. The rest is not kept: it would
// cost memory while this one waits.
type request struct {
	UID         types.UID                   `json:"uid"`
	Resource    metav1.GroupVersionResource `json:"resource"`
	SubResource string                      `json:"subResource"`
	Namespace   string                      `json:"namespace"`
	Operation   admissionv1.Operation       `json:"operation"`
	Object      stdjson.RawMessage          `json:"object"`
	OldObject   stdjson.RawMessage          `json:"oldObject"`

	policy, old *object
}

// object is a policy before its spec is read.
type object struct {
	Metadata struct {
		Name              string              `json:"name"`
		DeletionTimestamp *stdjson.RawMessage `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec stdjson.RawMessage `json:"spec"`
}

// resource is what rules of a webhook may send here.
var resource = metav1.GroupVersionResource{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "agentauthpolicies"}

// parse reads an AdmissionReview. Unknown fields of it are let be: they come
// with newer API servers.
func parse(body []byte) (*request, error) {
	var review struct {
		metav1.TypeMeta `json:",inline"`
		Request         *request `json:"request"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil {
		return nil, errors.New("expected an AdmissionReview in JSON")
	}
	r := review.Request
	switch {
	case review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String():
		return nil, fmt.Errorf("expected an AdmissionReview of %s", admissionv1.SchemeGroupVersion)
	case r == nil || r.UID == "":
		return nil, errors.New("expected a request with a uid")
	case r.Resource != resource:
		return nil, fmt.Errorf("expected rules of the webhook that name %s of %s only", resource.Resource, v1alpha1.GroupVersion)
	}
	var err error
	if r.policy, err = readObject(r.Object); err == nil {
		r.old, err = readObject(r.OldObject)
	}
	r.Object, r.OldObject = nil, nil
	return r, err
}

func readObject(raw []byte) (*object, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	o := &object{}
	if err := json.UnmarshalCaseSensitivePreserveInts(raw, o); err != nil {
		return nil, errors.New("expected a policy in JSON with metadata and spec")
	}
	return o, nil
}

// exempt says whether there is nothing to judge: no spec comes, or of what is
// being deleted.
func (r *request) exempt() bool {
	switch r.Operation {
	case admissionv1.Create, admissionv1.Update:
	default:
		return true
	}
	return r.SubResource != "" || r.policy == nil || r.policy.Metadata.DeletionTimestamp != nil
}

// unchanged says whether the spec was there before. What is invalid already can
// so be labelled and given up by its finalizers.
func (r *request) unchanged() bool {
	return r.Operation == admissionv1.Update && r.old != nil && sameJSON(r.old.Spec, r.policy.Spec)
}

func sameJSON(a, b []byte) bool {
	var one, other any
	if len(a) > 0 && json.UnmarshalCaseSensitivePreserveInts(a, &one) != nil {
		return false
	}
	if len(b) > 0 && json.UnmarshalCaseSensitivePreserveInts(b, &other) != nil {
		return false
	}
	return reflect.DeepEqual(one, other)
}

// candidate is the policy, and the problems of each part of its spec that this
// version cannot read: the API server would keep that part, and agentauth would
// decide without it.
func (r *request) candidate() (*v1alpha1.AgentAuthPolicy, []authz.Problem) {
	p := &v1alpha1.AgentAuthPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.policy.Metadata.Name}}
	if p.Name == "" {
		p.Name = "unnamed" // the API server makes the name up
	}
	if len(r.policy.Spec) == 0 {
		return p, nil
	}
	var problems []authz.Problem
	for _, unread := range manifest.Spec(r.policy.Spec, &p.Spec) {
		problems = append(problems, authz.Problem{Severity: authz.Invalid, Field: unread.Field,
			Message: cut("this version of agentauth cannot read it: "+unread.Message, maxMessage/maxProblems)})
	}
	return p, problems
}

func allowed(warnings []string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Allowed: true, Warnings: bounded(warnings)}
}

// refused says what an API server says of an object that its schema refuses.
func refused(p *v1alpha1.AgentAuthPolicy, problems []authz.Problem) *admissionv1.AdmissionResponse {
	problems = problems[:min(len(problems), maxProblems)]
	details := &metav1.StatusDetails{Name: cut(p.Name, maxName), Group: v1alpha1.GroupVersion.Group, Kind: v1alpha1.Kind}
	for _, one := range problems {
		details.Causes = append(details.Causes, metav1.StatusCause{
			Type: metav1.CauseTypeFieldValueInvalid, Field: one.Field, Message: cut(one.Message, maxMessage/maxProblems)})
	}
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
		Message: sentence(problems), Details: details,
	}}
}
