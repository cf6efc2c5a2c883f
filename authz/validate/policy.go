// Package validate says what is wrong with a policy by itself, and completes it
// with its defaults.
//
// Start with [Default], then [Policy]. The engine, the webhook and the commands
// all ask here, so that a policy is valid for all of them or for none.
package validate

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

var (
	label = text{1, 63, regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`),
		"1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"}
	expression = text{1, 4096, nil, "a CEL expression"}
	fieldName  = text{1, 256, regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"),
		"a header name: letters, digits or any of -!#$%&'*+.^_`|~"}
)

// Policy holds a policy to every rule that the CRD holds it to in a cluster, to
// those that a schema cannot express, and to Gateway API's own for matches. The
// policy has its defaults ([Default]). Neither the objects that a policy refers
// to nor its expressions are looked at.
//
// A policy with a problem of severity Invalid must not be compiled: compiling
// relies on every rule. Messages say what was expected, what came and what to
// do.
func Policy(p *v1alpha1.AgentAuthPolicy) []authz.Problem {
	f := &findings{}
	f.metadata(p)
	spec, at := &p.Spec, field.NewPath("spec")
	for _, path := range spec.Unread {
		f.errs = append(f.errs, &field.Error{Type: field.ErrorTypeForbidden, Field: path, BadValue: field.OmitValueType{},
			Detail: "this version of agentauth does not know the field, which may be a restriction; upgrade agentauth to that of the CRD, or remove the field"})
	}
	f.attachment(at, spec)
	f.mode(at, spec)
	if spec.Paths != nil {
		allow := at.Child("paths", "allow")
		f.count(allow, len(spec.Paths.Allow), 0, 3)
		for i, form := range upTo(spec.Paths.Allow, 3) {
			oneOf(f, allow.Index(i), form, v1alpha1.PathFormEncodedSlash, v1alpha1.PathFormEmptySegment, v1alpha1.PathFormEncodedPercent)
		}
		unique(upTo(spec.Paths.Allow, 3), func(form v1alpha1.PathForm) string { return string(form) }, func(i int, form string) {
			f.add(field.ErrorTypeDuplicate, allow.Index(i), "expected every value once, got %s twice", brief(form))
		})
	}
	f.methods(at.Child("authentication", "methods"), spec.Authentication.Methods)
	f.ofTokens(at.Child("authentication", "methods"), spec)
	if spec.MCP != nil {
		f.mcp(at.Child("mcp"), spec)
	}
	if spec.Authorization != nil {
		f.authorization(at.Child("authorization"), spec.Authorization)
		if k := spec.Authorization.Kubernetes; k != nil {
			f.kubernetesAccess(at.Child("authorization", "kubernetes"), k, spec.Authentication.Methods)
		}
	}
	if spec.Response != nil {
		f.response(at.Child("response"), spec.Response)
		f.exchangeable(at.Child("response", "upstream", "token", "exchanged"), spec)
	}
	if len(f.errs) > 0 {
		return f.problems()
	}
	methods := at.Child("authentication", "methods")
	return slices.Concat(neverApplies(methods, spec.Authentication.Methods), chainsOfScopes(methods, spec.Authentication.Methods),
		unknownServers(at.Child("mcp", "authorizationServers"), spec), matches(at.Child("routes"), spec.Routes, PathForms(spec.Paths)))
}

// metadata holds metadata to the rules that the API server has for every object.
func (f *findings) metadata(p *v1alpha1.AgentAuthPolicy) {
	for _, err := range validation.ValidateObjectMeta(&p.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata")) {
		if s, ok := err.BadValue.(string); ok && s != "" {
			err.Detail += ", got " + brief(s)
		}
		err.BadValue = field.OmitValueType{}
		f.errs = append(f.errs, err)
	}
}

func (f *findings) authorization(at *field.Path, a *v1alpha1.Authorization) {
	f.rules(at.Child("rules"), a.Rules)
	oneOf(f, at.Child("otherwise"), a.Otherwise, v1alpha1.OtherwiseAllow, v1alpha1.OtherwiseDeny)
	if a.Otherwise == v1alpha1.OtherwiseDeny && len(a.Rules) == 0 {
		f.invalid(at, "otherwise: Deny is for requests for which no rule applies, and there are no rules: add a rule, or leave otherwise out")
	}
}

func (f *findings) rules(at *field.Path, rules []v1alpha1.Rule) {
	f.count(at, len(rules), 0, 32)
	rules = upTo(rules, 32)
	for i, r := range rules {
		at := at.Index(i)
		label.check(f, at.Child("name"), r.Name)
		expression.optional(f, at.Child("when"), string(r.When))
		expression.check(f, at.Child("require"), string(r.Require))
	}
	unique(rules, func(r v1alpha1.Rule) string { return r.Name }, func(i int, name string) {
		f.duplicateName(at.Index(i), name)
	})
}

func (f *findings) duplicateName(at *field.Path, name string) {
	f.add(field.ErrorTypeDuplicate, at, "expected names that are unique in their list, got %s twice", brief(name))
}

// hopByHop are headers that belong to HTTP itself.
var hopByHop = []string{"connection", "content-length", "transfer-encoding", "te", "upgrade", "trailer"}

func isProxyHeader(lower string) bool {
	return strings.HasPrefix(lower, "x-envoy-") || strings.HasPrefix(lower, "x-forwarded-")
}
