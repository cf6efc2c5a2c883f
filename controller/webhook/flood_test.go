package webhook

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Whoever reaches the port can send what the CRD's limits would have stopped.
// What decides is in the same process, so it must not be made large by a few
// kilobytes, nor kept busy.
func TestWhatNoAPIServerWouldSendCostsLittle(t *testing.T) {
	many := func(one string, n int) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	const (
		routes  = `"routes":[{"hostnames":["a.example.com"]}]`
		methods = `"authentication":{"methods":[{"name":"public","anonymous":{}}]}`
	)
	for name, spec := range map[string]string{
		"hostnames times matches": fmt.Sprintf(`"routes":[{"hostnames":[%s],"matches":[%s]}],%s`, many(`"a.x"`, 1000), many("{}", 1500), methods),
		"routes with expressions": fmt.Sprintf(`"routes":[%s],%s`, many(`{"hostnames":["a.x"],"matches":[{"path":{"type":"RegularExpression","value":"/(x{1,100}){1,9}"}}]}`, 20000), methods),
		"methods":                 fmt.Sprintf(`%s,"authentication":{"methods":[%s]}`, routes, many("{}", 200000)),
		"places":                  fmt.Sprintf(`%s,"authentication":{"methods":[{"name":"k","apiKey":{"from":[%s]}}]}`, routes, many(`{"query":{"name":"a"}}`, 100000)),
		"rules":                   fmt.Sprintf(`%s,%s,"authorization":{"rules":[%s]}`, routes, methods, many("{}", 200000)),
		"targets":                 fmt.Sprintf(`"targetRefs":[%s],%s`, many("{}", 200000), methods),
		"headers":                 fmt.Sprintf(`%s,%s,"response":{"upstream":{"headers":[%s]}}`, routes, methods, many("{}", 200000)),
	} {
		body := reviewOf(t, nil, "spec: {}", "")
		body = strings.Replace(body, `"spec":{}`, `"spec":{`+spec+"}", 1)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := newAsked(engine.Options{}).answer(t, body)
		runtime.ReadMemStats(&after)
		if r.Allowed || r.Result.Message == "" {
			t.Errorf("%s: expected a refusal, got %+v", name, r)
		}
		if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 200 {
			t.Errorf("%s: expected at most 200 MiB for %d KiB, got %d", name, len(body)>>10, spent)
		} else {
			t.Logf("%s: %d KiB, %d MiB", name, len(body)>>10, spent)
		}
	}
}
