package webhook

import (
	"fmt"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// What an answer may hold. API servers cut warnings at 256 bytes, and all of
// them at 4096.
const (
	maxWarning  = 256
	maxWarnings = 8
	maxProblems = 16
	maxMessage  = 4096
	maxName     = 253
)

// bounded are the first warnings, and how many more there are.
func bounded(warnings []string) []string {
	var out []string
	for i, w := range warnings {
		if i == maxWarnings-1 && len(warnings) > maxWarnings {
			return append(out, fmt.Sprintf("and %d more; kubectl apply it, and see the conditions in its status", len(warnings)-i))
		}
		out = append(out, cut(w, maxWarning))
	}
	return out
}

// sentence are problems as one message, a line each.
func sentence(problems []authz.Problem) string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return cut(strings.Join(lines, "\n"), maxMessage)
}

func cut(s string, most int) string {
	const dots = " …"
	if len(s) > most {
		s = s[:most-len(dots)]
		return strings.ToValidUTF8(s, "") + dots
	}
	return strings.ToValidUTF8(s, "")
}
