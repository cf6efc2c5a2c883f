package validate

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// resourcePath is the path of a canonical URI: each of its servers and clients reads
// it in one way.
const resourcePath = `(/|(/[-._~A-Za-z0-9!$&'()*+,=:@]+)*)`

var (
	resource = text{1, 2048, regexp.MustCompile(`^https://` + dnsName + `(:[1-9][0-9]{0,4})?` + resourcePath + `$`),
		"the canonical URI of the server: https, a host in lower case, a path without a slash at its end, percent-encoding, query or fragment"}
	authorizationServer = text{1, 2048, regexp.MustCompile(`^https://[^/?#@\s]+(/[^?#\s]*)?$`),
		"an issuer: an https URL without password, query or fragment (RFC 8414 2)"}
	origin = text{1, 255, regexp.MustCompile(`^[a-z][-+.a-z0-9]*://[^*A-Z/?#@\s]+$`),
		"an origin: a scheme and a host, in lower case and without wildcards, as in https://chat.example.com"}
	mcpName = text{1, 1024, regexp.MustCompile(`^[^*]*\*?$`), "a name, in which only a * at the end is a wildcard"}
)

const (
	notCanonical  = "resource must be canonical: leave the port 443, and segments . and .. out"
	noTokenAtAll  = "exactly one of audiences and anyAudience: true is needed: name this API as its tokens do, or accept tokens that are meant for others"
	notItsTokens  = "tokens of an MCP server are for its resource (RFC 8707): leave audiences out, or let them contain mcp.resource byte for byte, and leave anyAudience out"
	tokenInQuery  = "an MCP server takes no credential from the query: remove query from the places of from"
	ruledByNames  = "tools/call, prompts/get and resources/read, /subscribe and /unsubscribe are ruled by what they name: write tools, prompts or resources"
	offlineAccess = "offline_access is between the client and its authorization server: a resource server neither needs nor names it"
)

func (f *findings) mcp(at *field.Path, spec *v1alpha1.PolicySpec) {
	m := spec.MCP
	f.resource(at.Child("resource"), spec)
	servers := at.Child("authorizationServers")
	f.count(servers, len(m.AuthorizationServers), 1, 8)
	set(f, servers, m.AuthorizationServers, 8, authorizationServer)
	f.scopes(at.Child("scopesSupported"), m.ScopesSupported, 64)
	set(f, at.Child("allowedOrigins"), m.AllowedOrigins, 64, origin)
	if name := inOtherLists(m.Methods); name != "" {
		f.invalid(at.Child("methods"), "%s, got %s", ruledByNames, brief(name))
	}
	for _, l := range []struct {
		name  string
		rules []v1alpha1.MCPRule
	}{{"methods", m.Methods}, {"tools", m.Tools}, {"resources", m.Resources}, {"prompts", m.Prompts}} {
		f.count(at.Child(l.name), len(l.rules), 0, 64)
		for i, r := range upTo(l.rules, 64) {
			f.mcpRule(at.Child(l.name).Index(i), r)
		}
	}
}

// inOtherLists is a method that rules refer to by what it names, so no entry of methods
// is ever asked for; "" if there is none.
func inOtherLists(methods []v1alpha1.MCPRule) string {
	for _, r := range upTo(methods, 64) {
		for _, name := range upTo(r.Names, 64) {
			switch name {
			case "tools/call", "prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe":
				return name
			}
		}
	}
	return ""
}

func (f *findings) mcpRule(at *field.Path, r v1alpha1.MCPRule) {
	f.count(at.Child("names"), len(r.Names), 1, 64)
	set(f, at.Child("names"), r.Names, 64, mcpName)
	f.scopes(at.Child("scopes"), r.Scopes, 16)
	expression.optional(f, at.Child("require"), string(r.Require))
}

func (f *findings) scopes(at *field.Path, scopes []v1alpha1.MCPScope, most int) {
	set(f, at, scopes, most, scope)
	for i, s := range upTo(scopes, most) {
		if s == "offline_access" {
			f.invalid(at.Index(i), "%s", offlineAccess)
		}
	}
}

// resource holds the URI to be one that everybody writes in one way, since it is
// compared byte for byte (RFC 8707 2, RFC 9728 3.3), and to be on a host of the
// policy.
func (f *findings) resource(at *field.Path, spec *v1alpha1.PolicySpec) {
	before := len(f.errs)
	resource.check(f, at, spec.MCP.Resource)
	if len(f.errs) > before {
		return
	}
	u, err := url.Parse(spec.MCP.Resource)
	if err != nil || u.Port() == "443" || slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		f.invalid(at, "%s, got %s", notCanonical, brief(spec.MCP.Resource))
		return
	}
	on := len(spec.Routes) == 0
	for _, r := range upTo(spec.Routes, 16) {
		on = on || slices.ContainsFunc(upTo(r.Hostnames, 16), func(h v1alpha1.Hostname) bool { return match.Within(u.Hostname(), string(h)) })
	}
	if !on {
		f.invalid(at, "expected a host of the policy's hostnames, got %s: another policy answers there", brief(u.Hostname()))
	}
}

// ofTokens holds the methods to what their policy is for: whom its tokens are meant
// for, and where they come.
func (f *findings) ofTokens(at *field.Path, spec *v1alpha1.PolicySpec) {
	for i := range upTo(spec.Authentication.Methods, maxMethods) {
		m := &spec.Authentication.Methods[i]
		for name, t := range tokens(m) {
			f.audience(at.Index(i).Child(name), t, spec.MCP)
		}
		if spec.MCP != nil && readsQuery(m) {
			f.invalid(at.Index(i), "%s", tokenInQuery)
		}
	}
}

// tokenMethod is what kinds of tokens have in common.
type tokenMethod struct {
	audiences   *[]string
	anyAudience bool
	issuer      string
	from        []v1alpha1.Place
}

// tokens are the kinds of a method that take access tokens, at most one in a policy
// that is valid.
func tokens(m *v1alpha1.Method) map[string]tokenMethod {
	out := map[string]tokenMethod{}
	if j := m.JWT; j != nil {
		out["jwt"] = tokenMethod{&j.Audiences, j.AnyAudience, j.Issuer, j.From}
	}
	if i := m.Introspection; i != nil {
		out["oauth2Introspection"] = tokenMethod{&i.Audiences, i.AnyAudience, i.Issuer, i.From}
	}
	return out
}

func (f *findings) audience(at *field.Path, t tokenMethod, mcp *v1alpha1.MCP) {
	given := len(*t.audiences) > 0
	switch {
	case given && t.anyAudience, mcp == nil && !given && !t.anyAudience:
		f.invalid(at, "%s", noTokenAtAll)
	case mcp != nil && (t.anyAudience || given && !slices.Contains(*t.audiences, mcp.Resource)):
		f.invalid(at, "%s; got %s", notItsTokens, brief(strings.Join(*t.audiences, ", ")))
	}
}

func readsQuery(m *v1alpha1.Method) bool {
	var from []v1alpha1.Place
	for _, t := range tokens(m) {
		from = append(from, t.from...)
	}
	if m.APIKey != nil {
		from = append(from, m.APIKey.From...)
	}
	return slices.ContainsFunc(from, func(p v1alpha1.Place) bool { return p.Query != nil })
}

// DefaultAudiences makes the resource of a policy the audience of its tokens where the
// policy names none. No schema can, so it is no part of [Default].
func DefaultAudiences(spec *v1alpha1.PolicySpec) {
	if spec.MCP == nil {
		return
	}
	for i := range spec.Authentication.Methods {
		for _, t := range tokens(&spec.Authentication.Methods[i]) {
			if len(*t.audiences) == 0 {
				*t.audiences = []string{spec.MCP.Resource}
			}
		}
	}
}

// unknownServers warns of authorization servers whose tokens no method takes: a client
// would get one there, and come back with it in vain.
func unknownServers(at *field.Path, spec *v1alpha1.PolicySpec) (out []authz.Problem) {
	if spec.MCP == nil {
		return nil
	}
	var issuers []string
	for i := range spec.Authentication.Methods {
		for _, t := range tokens(&spec.Authentication.Methods[i]) {
			if t.issuer == "" { // any
				return nil
			}
			issuers = append(issuers, t.issuer)
		}
	}
	instead := "write the issuer of a method, byte for byte: " + brief(strings.Join(issuers, ", "))
	if len(issuers) == 0 {
		instead = "add a method for its tokens"
	}
	for i, s := range spec.MCP.AuthorizationServers {
		if !slices.Contains(issuers, s) {
			out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.UnknownAuthorizationServer, Field: at.Index(i).String(),
				Message: fmt.Sprintf("no method takes tokens of the issuer %s, so a client that gets one there is refused: %s", brief(s), instead)})
		}
	}
	return out
}
