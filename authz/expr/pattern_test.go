package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAPatternOfTheBeginningOfAPathIsWarnedOf(t *testing.T) {
	for pattern, warned := range map[string]bool{
		`^/admin`: true, `^/admin.*`: true, `^/admin.*$`: true, `^(/admin)`: true, `^/(admin|ops)`: true, `^/admin|^/ops`: true, `\\A/admin`: true,
		`(?i)^/admin`: true, `^/v[0-9]+/orders`: true, `^/admin(/.*)?`: true, `^/(admin|ops/)`: true, `^(?:/a/|/b)`: true, `^/static/.*\\.js`: true,
		`^/admin/`: false, `^/admin/.*`: false, `^/admin$`: false, `^/admin(/|$)`: false, `^/admin(/.*)?$`: false, `^/admin(?:/.*|$)`: false,
		`^/users/[0-9]+`: false, `^/users/[^/]+$`: false, `^/v[0-9]*$`: false, `^/`: false, `^`: false, `.*`: false, `admin`: false, `/admin$`: false,
		`^/a\\b`: true, `^/admin\\z`: false, `[.]json$`: false,
	} {
		for _, src := range []string{`request.path.matches("` + pattern + `")`, `matches(request.path, "` + pattern + `")`, `!request.path.lowerAscii().matches("` + pattern + `")`} {
			p, err := Compile(Bool, src)
			if err != nil {
				t.Errorf("%s: %v", src, err)
				continue
			}
			w := p.Warnings()
			if got := len(w) == 1 && w[0].Lint == authz.PrefixWithoutSlash && strings.HasPrefix(w[0].Message, "1:"); got != warned || len(w) > 1 {
				t.Errorf("%s: expected %v, got %v", src, warned, w)
			}
		}
	}
	if w := mustCompile(t, Bool, `request.host.matches("^api")`).Warnings(); len(w) > 0 {
		t.Errorf("expected no warning of a host, got %v", w)
	}
}
