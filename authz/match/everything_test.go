package match

import (
	"strings"
	"testing"
	"time"
)

func TestARegularExpressionThatMatchesEveryPath(t *testing.T) {
	for _, pattern := range []string{
		".*", "/.*", "/(.*)", "(/.*)?", "(?s)/.*", "/.{0,}", ".+", "^/.*$", "/[^#]*", "/[^?#]*", "(|/)(.*)", "/(|.+)", "(/[^/]*)+", "/(a|.*)",
		"(?i)/.*", `/[\s\S]*`, "/?.*", "(.*/)*.*", "/((a.*)|([^a].*)|)", `\A/.*\z`, "/.*(foo)?", "/[!-~]*",
	} {
		if !MatchesEveryPath(pattern) {
			t.Errorf("%s: expected it to match every path", pattern)
		}
	}
	for _, pattern := range []string{
		"", "/", "/.+", "/v1/.*", "/(v1|v2)/admin(/.*)?", ".*/", "/[a-z]*", "[^/]*", "/[^%]*", "/.*a.*", "(", "/.*$x", `/\b.*`, "/([^a].*)?", "/[^/]*", "/.?.?.?",
	} {
		if MatchesEveryPath(pattern) {
			t.Errorf("%s: expected it not to match every path", pattern)
		}
	}
}

// Whoever writes policies pays for this with little.
func TestToFindOutWhetherEverythingMatchesIsBounded(t *testing.T) {
	for _, pattern := range []string{
		"/(.*a.{20}|.*)", "/(" + strings.Repeat("[a-z]?", 80) + "|.*)", "/(" + strings.Repeat("(a|b|.)*", 40) + ")", "/((a?){30}(b?){30}.*)*",
	} {
		begin := time.Now()
		MatchesEveryPath(pattern)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: took %s", pattern, took)
		}
	}
}
