package controller

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	manifest "github.com/agentauth-dev/agentauth/config/crd"
)

// policiesCRD is the name of the CRD of policies.
const policiesCRD = "agentauthpolicies.agentauth.dev"

// maxFields bounds the fields that a Schema names.
const maxFields = 20

// Schema says how the CRD of policies that the API server has differs from the
// one that this agentauth is built for. It is computed from what the API
// server serves; nothing that somebody wrote beside it is trusted. What people
// read (descriptions, columns) does not count.
type Schema struct {
	// Want and Got are digests; Got is "" where the CRD is not there.
	Want, Got string
	// Dropped are fields that only this agentauth knows: the API server takes
	// them out of policies, restrictions too. Unknown are those that only the API
	// server knows. Of both the outermost, at most 20.
	Dropped, Unknown []string
}

// Matches says whether policies are what their authors wrote, as far as the
// schema goes.
func (s Schema) Matches() bool { return s.Want != "" && s.Want == s.Got }

// String says what is wrong and what to do.
func (s Schema) String() string {
	switch {
	case s.Matches():
		return "the CRD " + policiesCRD + " is the one that this agentauth is built for"
	case s.Got == "":
		return "the CRD " + policiesCRD + " is not there, and so there are no policies; install it"
	}
	out := fmt.Sprintf("the CRD %s is not the one that this agentauth is built for (expected schema %s, got %s)", policiesCRD, s.Want, s.Got)
	if len(s.Dropped) > 0 {
		out += "; it is older: the API server takes these fields out of policies, which may then allow more than was written: " + strings.Join(s.Dropped, ", ")
	}
	if len(s.Unknown) > 0 {
		out += "; it is newer: policies with these fields are refused here: " + strings.Join(s.Unknown, ", ")
	}
	return out + "; bring CRD and agentauth to one version"
}

// schemas compares the CRD of policies with the one in this binary.
type schemas struct {
	own    *crdv1.CustomResourceDefinition
	notify func(Schema)
	last   *Schema
	// installed is the CRD that was seen last.
	installed *crdv1.CustomResourceDefinition
}

// newSchemas reads the CRD in the binary.
func newSchemas(notify func(Schema)) (*schemas, error) {
	own := &crdv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal([]byte(manifest.Policies), own); err != nil {
		return nil, fmt.Errorf("the CRD in this binary: %w", err)
	}
	return &schemas{own: own, notify: notify}, nil
}

// see takes the CRD as it is now, nil if it is gone. It calls notify once per
// change. It reports whether policies were read by another CRD before.
func (s *schemas) see(installed *crdv1.CustomResourceDefinition) (changed bool) {
	last := s.last
	if installed == s.installed {
		return false // nil too, if there was none yet
	}
	s.installed = installed
	now := compare(s.own, installed)
	if last != nil && last.Got == now.Got {
		return false
	}
	s.last = &now
	if s.notify != nil {
		s.notify(now)
	}
	return last != nil
}

func compare(own, installed *crdv1.CustomResourceDefinition) Schema {
	s := Schema{Want: digest(own)}
	if installed == nil {
		return s
	}
	s.Got = digest(installed)
	mine, theirs := properties(own), properties(installed)
	s.Dropped, s.Unknown = missing("", mine, theirs), missing("", theirs, mine)
	return s
}

// digest is of what the API server does with policies: versions and schemas in
// JSON of one form, without descriptions.
func digest(of *crdv1.CustomResourceDefinition) string {
	type version struct {
		Name            string
		Served, Storage bool
		Schema          *crdv1.JSONSchemaProps
	}
	var versions []version
	for _, v := range of.Spec.Versions {
		versions = append(versions, version{v.Name, v.Served, v.Storage, plain(schemaOf(v))})
	}
	slices.SortFunc(versions, func(a, b version) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal(versions)
	if err == nil {
		var form any // defaults and enums are kept as they were written; here their keys are sorted
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err = decoder.Decode(&form); err == nil {
			data, err = json.Marshal(form)
		}
	}
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// properties is the schema of the version that is read here.
func properties(of *crdv1.CustomResourceDefinition) *crdv1.JSONSchemaProps {
	for _, v := range of.Spec.Versions {
		if v.Name == v1alpha1.GroupVersion.Version {
			return schemaOf(v)
		}
	}
	return nil
}

func schemaOf(v crdv1.CustomResourceDefinitionVersion) *crdv1.JSONSchemaProps {
	if v.Schema == nil {
		return nil
	}
	return v.Schema.OpenAPIV3Schema
}

// plain is a copy without descriptions, which only structure has: properties,
// items and additionalProperties.
func plain(s *crdv1.JSONSchemaProps) *crdv1.JSONSchemaProps {
	if s == nil {
		return nil
	}
	out := *s
	out.Description = ""
	if s.Properties != nil {
		out.Properties = make(map[string]crdv1.JSONSchemaProps, len(s.Properties))
		for name, p := range s.Properties {
			out.Properties[name] = *plain(&p)
		}
	}
	if s.Items != nil {
		out.Items = &crdv1.JSONSchemaPropsOrArray{Schema: plain(s.Items.Schema), JSONSchemas: s.Items.JSONSchemas}
	}
	if s.AdditionalProperties != nil {
		out.AdditionalProperties = &crdv1.JSONSchemaPropsOrBool{Allows: s.AdditionalProperties.Allows, Schema: plain(s.AdditionalProperties.Schema)}
	}
	return &out
}

// missing are the outermost fields of one schema that another takes out.
func missing(at string, in, from *crdv1.JSONSchemaProps) []string {
	switch {
	case in == nil, from != nil && from.XPreserveUnknownFields != nil && *from.XPreserveUnknownFields:
		return nil
	case from == nil:
		return []string{strings.TrimPrefix(at, ".")}
	}
	var out []string
	for name, p := range in.Properties {
		var theirs *crdv1.JSONSchemaProps
		if q, ok := from.Properties[name]; ok {
			theirs = &q
		}
		out = append(out, missing(at+"."+name, &p, theirs)...)
	}
	if in.Items != nil {
		out = append(out, missing(at+"[]", in.Items.Schema, itemsOf(from))...)
	}
	if in.AdditionalProperties != nil {
		out = append(out, missing(at+".*", in.AdditionalProperties.Schema, valuesOf(from))...)
	}
	slices.Sort(out)
	return out[:min(len(out), maxFields)]
}

func itemsOf(s *crdv1.JSONSchemaProps) *crdv1.JSONSchemaProps {
	if s.Items == nil {
		return nil
	}
	return s.Items.Schema
}

func valuesOf(s *crdv1.JSONSchemaProps) *crdv1.JSONSchemaProps {
	if s.AdditionalProperties == nil {
		return nil
	}
	return s.AdditionalProperties.Schema
}

// observes says whether a CRD has status.observedGeneration: the API server refuses a
// status with a field that its CRD does not have.
func observes(installed *crdv1.CustomResourceDefinition) bool {
	if installed == nil {
		return false
	}
	schema := properties(installed)
	if schema == nil {
		return false
	}
	_, has := schema.Properties["status"].Properties["observedGeneration"]
	return has
}
