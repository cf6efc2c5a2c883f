package validate

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	metavalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

var (
	objectName = text{1, 253, regexp.MustCompile(`^` + dnsName + `$`), "the name of an object: a DNS name in lower case"}
	entryKey   = text{1, 253, regexp.MustCompile(`^[-._a-zA-Z0-9]+$`), "the key of an entry: letters, digits, '-', '_' or '.'"}
	realm      = text{1, 128, regexp.MustCompile(`^[ !#-\[\]-~]+$`), "a realm of ASCII characters without quotes or backslashes"}
	scheme     = text{1, 64, regexp.MustCompile(`^[-0-9A-Za-z]+$`), "an authentication scheme: letters, digits or '-'"}
	placeName  = text{1, 256, regexp.MustCompile(`^[-._~0-9A-Za-z]+$`), "a name of letters, digits or any of -._~"}
	labelValue = text{0, 63, regexp.MustCompile(`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`), "the value of a label: letters, digits, '-', '_' or '.', with a letter or digit at both ends"}
)

// maxMethods lets a policy have a method for each of many issuers.
const maxMethods = 32

func (f *findings) methods(at *field.Path, methods []v1alpha1.Method) {
	f.count(at, len(methods), 1, maxMethods)
	methods = upTo(methods, maxMethods)
	for i := range methods {
		f.method(at.Index(i), &methods[i])
	}
	unique(methods, func(m v1alpha1.Method) string { return m.Name }, func(i int, name string) {
		f.duplicateName(at.Index(i), name)
	})
}

func (f *findings) method(at *field.Path, m *v1alpha1.Method) {
	label.check(f, at.Child("name"), m.Name)
	oneOf(f, at.Child("requirement"), m.Requirement, v1alpha1.Sufficient, v1alpha1.Required)
	union(f, at, *m)
	if m.Anonymous != nil && m.Requirement == v1alpha1.Required {
		f.invalid(at, "anonymous cannot be Required: it applies only where no credential came; leave requirement out")
	}
	if m.Basic != nil {
		f.reference(at.Child("basic", "users", "secretRef"), &m.Basic.Users.SecretRef)
		realm.check(f, at.Child("basic", "realm"), m.Basic.Realm)
	}
	if m.JWT != nil {
		f.jwt(at.Child("jwt"), m.JWT)
	}
	if m.Introspection != nil {
		f.introspection(at.Child("oauth2Introspection"), m.Introspection)
	}
	if m.KubernetesToken != nil {
		f.kubernetesToken(at.Child("kubernetesToken"), m.KubernetesToken)
	}
	if m.APIKey != nil {
		f.selector(at.Child("apiKey", "selector", "matchLabels"), m.APIKey.Selector.MatchLabels)
		f.places(at.Child("apiKey", "from"), m.APIKey.From)
	}
	if m.ClientCertificate != nil {
		f.clientCertificate(at.Child("clientCertificate"), m.ClientCertificate)
	}
}

// neverApplies warns of a method that can never succeed: anonymous wants no
// credential, and a Required method wants one.
func neverApplies(at *field.Path, methods []v1alpha1.Method) (warnings []authz.Problem) {
	if !slices.ContainsFunc(methods, func(m v1alpha1.Method) bool { return m.Requirement == v1alpha1.Required }) {
		return nil
	}
	for i := range methods {
		if methods[i].Anonymous != nil {
			warnings = append(warnings, authz.Problem{Severity: authz.Warning, Field: at.Index(i).Child("anonymous").String(),
				Message: "it never applies: it is for requests without any credential, and another method is Required"})
		}
	}
	return warnings
}

func (f *findings) reference(at *field.Path, r *v1alpha1.ObjectKeyReference) {
	if r != nil {
		objectName.check(f, at.Child("name"), r.Name)
		label.optional(f, at.Child("namespace"), r.Namespace)
		entryKey.optional(f, at.Child("key"), r.Key)
	}
}

func (f *findings) selector(at *field.Path, labels map[string]v1alpha1.LabelValue) {
	f.count(at, len(labels), 1, 16)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if problems := metavalidation.IsQualifiedName(k); len(problems) > 0 {
			f.invalid(at, "a label key is a name of at most 63 letters, digits, '-', '_' or '.', with or without a DNS prefix and '/', got %s", brief(k))
		}
		labelValue.check(f, at.Key(k), string(labels[k]))
	}
}

func (f *findings) places(at *field.Path, from []v1alpha1.Place) {
	f.count(at, len(from), 0, 8)
	clash := false
	from = upTo(from, 8)
	for i, p := range from {
		f.place(at.Index(i), p)
		clash = clash || slices.ContainsFunc(from[:i], func(q v1alpha1.Place) bool { return readTheSame(p, q) })
	}
	if clash {
		f.invalid(at, "two places would read the same credential, and then every request that has one is refused: name each cookie and query parameter once, and a header twice only with two schemes")
	}
}

func (f *findings) place(at *field.Path, p v1alpha1.Place) {
	union(f, at, p)
	if h := p.Header; h != nil {
		at := at.Child("header")
		fieldName.check(f, at.Child("name"), h.Name)
		lower := strings.ToLower(h.Name)
		if slices.Contains(hopByHop, lower) || lower == "host" || lower == "cookie" || isProxyHeader(lower) {
			f.invalid(at.Child("name"), "a credential cannot be read from this header: it belongs to HTTP or to the proxy; cookies have a place of their own, got %s", brief(h.Name))
		}
		scheme.optional(f, at.Child("scheme"), h.Scheme)
	}
	if p.Cookie != nil {
		placeName.check(f, at.Child("cookie", "name"), p.Cookie.Name)
	}
	if p.Query != nil {
		placeName.check(f, at.Child("query", "name"), p.Query.Name)
	}
}

func readTheSame(a, b v1alpha1.Place) bool {
	switch {
	case a.Header != nil && b.Header != nil && strings.EqualFold(a.Header.Name, b.Header.Name):
		return a.Header.Scheme == "" || b.Header.Scheme == "" || strings.EqualFold(a.Header.Scheme, b.Header.Scheme)
	case a.Cookie != nil && b.Cookie != nil && a.Cookie.Name == b.Cookie.Name:
		return true
	}
	return a.Query != nil && b.Query != nil && a.Query.Name == b.Query.Name
}
