package match

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
)

// Problems are what is wrong with entries. The Field of a problem is that of the
// entry: "hostname", "match.path.value", "match.headers[2].value".
type Problems []authz.Problem

// Error implements error: it is what Build returns. The Object of each problem
// is the entry then.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Object + ": " + problem.String()
	}
	return strings.Join(lines, "\n")
}

// Check returns the problems that Build would return for e, without an Object.
//
// Beyond Gateway API's own rules, an Exact or PathPrefix path must be in the
// normal form of RFC 3986 6.2.2: "/%61dmin" would never match "/admin", and every
// request that it matches is refused as ambiguous. MaxPattern and MaxProgram
// bound regular expressions.
func Check(e Entry) Problems {
	_, problems := compiler{}.prepare(e)
	return problems
}

func (p *Problems) add(field, format string, args ...any) {
	*p = append(*p, authz.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

const (
	maxHostname   = 253
	maxPath       = 1024
	maxConditions = 16
	maxName       = 256
	maxHeader     = 4096
	maxQuery      = 1024
)

func checkHostname(p *Problems, name string) {
	if name == "*" {
		return
	}
	bad := len(name) > maxHostname
	for label := range strings.SplitSeq(strings.TrimPrefix(name, "*."), ".") {
		bad = bad || label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			label[0] == '-' || label[len(label)-1] == '-'
	}
	if bad {
		p.add("hostname", `expected a host name in lower case without port, "*." and one, or "*", got %q`, name)
	}
}

func checkPath(p *Problems, value string) {
	if detail := pathProblem(value); detail != "" {
		p.add("match.path.value", "%s, got %q", detail, value)
	}
}

// pathProblem describes the first problem of a path; "" if there is none.
func pathProblem(value string) string {
	if !strings.HasPrefix(value, "/") {
		return "expected a path that begins with /"
	}
	if len(value) > maxPath {
		return fmt.Sprintf("expected a path of at most %d bytes", maxPath)
	}
	if strings.ContainsAny(value, "?#") {
		return "expected a path without a query or fragment: queryParams match the query"
	}
	for i := range len(value) {
		if _, ok := authz.Unescape(value[i:]); value[i] == '%' && !ok {
			return "expected two hexadecimal digits after each %"
		}
	}
	normal := normalise(value)
	for _, bad := range []string{"//", "/./", "/../", "%2F"} {
		if strings.Contains(normal, bad) {
			return fmt.Sprintf("expected a path without %s, for such requests are refused", bad)
		}
	}
	for _, bad := range []string{"/.", "/.."} {
		if strings.HasSuffix(normal, bad) {
			return fmt.Sprintf("expected a path that does not end in %s, for such requests are refused", bad)
		}
	}
	if normal != value {
		return fmt.Sprintf("expected the normal form %q", normal)
	}
	return ""
}

var methods = []gatewayv1.HTTPMethod{
	gatewayv1.HTTPMethodGet, gatewayv1.HTTPMethodHead, gatewayv1.HTTPMethodPost,
	gatewayv1.HTTPMethodPut, gatewayv1.HTTPMethodDelete, gatewayv1.HTTPMethodConnect,
	gatewayv1.HTTPMethodOptions, gatewayv1.HTTPMethodTrace, gatewayv1.HTTPMethodPatch,
}

func checkMethod(p *Problems, method gatewayv1.HTTPMethod) {
	if !slices.Contains(methods, method) {
		p.add("match.method", "expected one of %v, got %q", methods, method)
	}
}

// token holds the bytes of a field name (RFC 9110 5.6.2); Gateway API asks the
// same of query parameters' names.
var token = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + "!#$%&'*+-.^_`|~")

func checkName(p *Problems, field, name string) {
	bad := name == "" || len(name) > maxName
	for i := range len(name) {
		bad = bad || !token[name[i]]
	}
	if bad {
		p.add(field, "expected 1 to %d letters, digits or any of !#$%%&'*+-.^_`|~, got %q", maxName, name)
	}
}

func checkLength(p *Problems, field, value string, limit int) {
	if value == "" || len(value) > limit {
		p.add(field, "expected 1 to %d bytes, got %d", limit, len(value))
	}
}
