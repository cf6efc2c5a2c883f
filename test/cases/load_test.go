package cases

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// manifest is what Secrets and ConfigMaps have in common.
type manifest struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Type       string   `json:"type,omitempty"`
	// Data is base64 in a Secret and text in a ConfigMap.
	Data       map[string]any    `json:"data,omitempty"`
	StringData map[string]string `json:"stringData,omitempty"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

var documents = regexp.MustCompile(`(?m)^---\n`)

// load is the plainest source there can be: nothing but a YAML library, so
// that what the real ones do is held against something.
func load(text string) (in engine.Input, err error) {
	for i, doc := range documents.Split(text, -1) {
		if err := loadOne(&in, []byte(doc)); err != nil {
			return in, fmt.Errorf("document %d: %w", i+1, err)
		}
	}
	return in, nil
}

func loadOne(in *engine.Input, doc []byte) error {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return err
	}
	switch head.Kind {
	case v1alpha1.Kind:
		return loadInto(&in.Policies, doc)
	case "HTTPRoute":
		return loadInto(&in.HTTPRoutes, doc)
	case "GRPCRoute":
		return loadInto(&in.GRPCRoutes, doc)
	case "Gateway":
		return loadInto(&in.Gateways, doc)
	case "ListenerSet":
		return loadInto(&in.ListenerSets, doc)
	case "ReferenceGrant":
		return loadInto(&in.ReferenceGrants, doc)
	}
	var m manifest
	if err := yaml.UnmarshalStrict(doc, &m); err != nil {
		return err
	}
	o := &engine.Object{
		Namespace: m.Metadata.Namespace, Name: m.Metadata.Name,
		Labels: m.Metadata.Labels, Annotations: m.Metadata.Annotations, Type: m.Type,
		Data: map[string][]byte{},
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	switch m.Kind {
	case "Secret":
		var secret struct {
			Data map[string][]byte `json:"data"`
		}
		if err := yaml.Unmarshal(doc, &secret); err != nil {
			return err
		}
		o.Data = map[string][]byte{}
		for k, v := range secret.Data {
			o.Data[k] = v
		}
		for k, v := range m.StringData {
			o.Data[k] = []byte(v)
		}
		if o.Use() == v1alpha1.UseAPIKey {
			o.Data = apikey.Digest(o.Annotations, o.Data)
		}
		in.Secrets = append(in.Secrets, o)
	case "ConfigMap":
		for k, v := range m.Data {
			o.Data[k] = fmt.Append(nil, v)
		}
		in.ConfigMaps = append(in.ConfigMaps, o)
		if o.Use() == v1alpha1.UseRevocations {
			in.Revocations = append(in.Revocations, revoke.ConfigMap{Namespace: o.Namespace, Name: o.Name, Everywhere: m.Metadata.Namespace == "", Data: o.Data})
		}
	case "Namespace":
		in.Namespaces = append(in.Namespaces, engine.Namespace{Name: o.Name, Labels: o.Labels})
	default:
		return errors.New("expected a kind that is known here, got " + m.Kind)
	}
	return nil
}

func loadInto[T any](list *[]*T, doc []byte) error {
	o := new(T)
	*list = append(*list, o)
	return yaml.UnmarshalStrict(doc, o)
}

// loadFiles reads every file of cases once.
func loadFiles(t *testing.T) []File {
	t.Helper()
	files, err := Load("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	return files
}
