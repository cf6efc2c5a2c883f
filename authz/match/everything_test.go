package match

import (
	"regexp"
	"strings"
	"testing"
)

func TestAnExpressionThatMatchesEveryPathIsKnownHoweverItIsWritten(t *testing.T) {
	for _, pattern := range []string{
		".*", "/.*", "/(.*)", "(/.*)?", "/?.*", "[^#]*", "(?s)/.*", "(?s).*", "/.{0,}", ".+", "/[^?]*", "/[^?#]*", `[^\n]*`, `/\S*`, "[!-~]*",
		"^/.*$", "^.*", ".*$", `\A/.*\z`, "(?i)/.*", "(?U)/.*", "/.*?", "(?:/.*)", "((/.*))", "(?P<rest>/.*)", "//?.*|/.*",
		"/admin|/.*", "/.*|/admin", "/(admin|.*)", "/(|.+)", "/|/.+", "(/[^/]*)*", "(/[^/]+)*/?", "/([^/]+/?)*", ".*.*", "/.*.*", "(.*)*", "(.|/)*",
		`[\s\S]*`, `(.|\n)*`, `\D*\d*.*`, "/([a-zA-Z].*|[^a-zA-Z].*|)", `/([-\w.~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*`,
		`\B?.*`, `\b?/.*`, `/(\b.*|\B.*)`, "[/].*", `\x2f.*`, `\Q/\E.*`,
	} {
		if !MatchesEveryPath(pattern) {
			t.Errorf("%s: some path is said not to match", pattern)
		}
	}
}

func TestAnExpressionThatSomePathDoesNotMatchIsNoPrefix(t *testing.T) {
	for _, pattern := range []string{
		"", "/", "/v1", "/v1/.*", "/v1(/.*)?", "/.+", "/[^/]*", "/.*/.*", "(/[^/]+)+", `/\w*`, `/[\w/%.-]*`, "/[^.]*", "/[^%]*", "/.*[^z]", "/.*[^/]",
		"/.{0,500}", "/.{1,}", "/.*x?[^x]", `/.*\b`, `/\b.*`, "[a-z/]*", "/(admin|)", ".*/", "/(..)*", "/[^@]*", "/(a|b).*", `.*[.]json`,
		"(", "a)|(b", "(?i)/[A-Z0-9/]*", strings.Repeat("a", MaxPattern+1), "/.*(/(v1|v2)/admin)", "/a.*|/[^a].*", "/[^a].*|",
	} {
		if MatchesEveryPath(pattern) {
			t.Errorf("%s: every path is said to match", pattern)
		}
	}
}

// What is not known to match every path is no error, and takes no longer than it may.
func TestAnExpressionWithTooManyPositionsCountsAsOneThatSomePathDoesNotMatch(t *testing.T) {
	if MatchesEveryPath("[^q]*|.*(q[^q]{20}|q.{0,12}).*x?|/.{0,300}") {
		t.Error("an expression that some path does not match is said to match every path")
	}
}

// FuzzMatchesEveryPath holds what is said of an expression against a path.
func FuzzMatchesEveryPath(f *testing.F) {
	for _, seed := range []string{".*", "/.*|x", `(/[^/]+)*/?`, `\b.*`, "(?s)/.{0,}"} {
		f.Add(seed, "/v1/orders")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if !MatchesEveryPath(pattern) || !pathInGrammar.MatchString(path) {
			return
		}
		if !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(path) {
			t.Fatalf("%q is said to match every path, and does not match %q", pattern, path)
		}
	})
}

var pathInGrammar = regexp.MustCompile(`^(/|(/([A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+/?)$`)
