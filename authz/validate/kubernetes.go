package validate

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

var (
	verb         = text{1, 63, regexp.MustCompile(`^[a-z][-a-z0-9]*$`), "a verb in lower case, as rules of Roles have it, and no wildcard"}
	apiGroup     = text{1, 253, regexp.MustCompile(`^` + dnsName + `$`), "an API group: a DNS name in lower case"}
	resourceName = text{1, 253, regexp.MustCompile(`^[-._:~0-9A-Za-z]+$`), "the name of an object: letters, digits or any of -._:~"}
	namePrefix   = text{1, 64, regexp.MustCompile(`^[!-~]+$`), "a prefix of visible ASCII characters"}
)

// clusterNames are names of the cluster's own.
const clusterNames = "system:"

func (f *findings) kubernetesToken(at *field.Path, k *v1alpha1.KubernetesToken) {
	if len(k.Audiences) == 0 {
		f.add(field.ErrorTypeRequired, at.Child("audiences"), "expected the names of this API, as workloads ask for them in their tokens; without one a token for the API server would be accepted, got none")
	}
	set(f, at.Child("audiences"), k.Audiences, 16, audience)
	if k.CacheTTL != nil {
		f.upToFiveMinutes(at.Child("cacheTTL"), *k.CacheTTL)
	}
	f.places(at.Child("from"), k.From)
}

// TakesClusterTokens says whether some method takes tokens of the cluster.
func TakesClusterTokens(spec *v1alpha1.PolicySpec) bool {
	return slices.ContainsFunc(spec.Authentication.Methods, isClusters)
}

func isClusters(m v1alpha1.Method) bool { return m.KubernetesToken != nil }

func (f *findings) kubernetesAccess(at *field.Path, k *v1alpha1.KubernetesAccess, methods []v1alpha1.Method) {
	others := slices.ContainsFunc(methods, func(m v1alpha1.Method) bool { return !isClusters(m) })
	if others && (k.UsernamePrefix == "" || k.GroupsPrefix == "") {
		f.invalid(field.NewPath("spec"), "authorization.kubernetes needs usernamePrefix and groupsPrefix beside methods other than kubernetesToken: their names are no names of the cluster")
	}
	f.namePrefix(at.Child("usernamePrefix"), k.UsernamePrefix)
	f.namePrefix(at.Child("groupsPrefix"), k.GroupsPrefix)
	r := &k.Resource
	at = at.Child("resource")
	verb.optional(f, at.Child("verb"), r.Verb)
	apiGroup.optional(f, at.Child("group"), r.Group)
	label.check(f, at.Child("resource"), r.Resource)
	label.optional(f, at.Child("subresource"), r.Subresource)
	resourceName.optional(f, at.Child("name"), r.Name)
	expression.optional(f, at.Child("nameFrom"), string(r.NameFrom))
	if r.Name != "" && r.NameFrom != "" {
		f.invalid(at, "name and nameFrom exclude each other")
	}
}

// namePrefix holds a prefix to what no subject can complete to a name of the cluster.
func (f *findings) namePrefix(at *field.Path, prefix string) {
	namePrefix.optional(f, at, prefix)
	if prefix != "" && (strings.HasPrefix(prefix, clusterNames) || strings.HasPrefix(clusterNames, prefix)) {
		f.invalid(at, "a prefix must not begin a name of the cluster's own: write another one than system:, or a part of it, got %s", brief(prefix))
	}
}
