package engine

import (
	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// Input is everything a snapshot is made of, as plain values. A source makes
// a new one whenever anything changes and never touches it again.
type Input struct {
	Policies   []*v1alpha1.AgentAuthPolicy
	Secrets    []*Object
	ConfigMaps []*Object
}

// Object is a Secret or a ConfigMap. API keys in it are digests already
// ([DigestKeys]): no source keeps them.
type Object struct {
	Namespace, Name     string
	Labels, Annotations map[string]string
	// Type is the type of a Secret.
	Type string
	Data map[string][]byte
}

// Use is what the owner labelled the object for; "" if for nothing.
func (o *Object) Use() string { return o.Labels[v1alpha1.LabelUse] }
