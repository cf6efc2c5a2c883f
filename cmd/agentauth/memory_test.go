package main

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/agentauth-dev/agentauth/authz/password"
)

func TestTheMemoryLimitIsTheContainersUnlessTheEnvironmentSetsOne(t *testing.T) {
	t.Cleanup(func() { debug.SetMemoryLimit(math.MaxInt64) })
	group := func(name, value string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(value)}} }
	for name, c := range map[string]struct {
		group         fstest.MapFS
		environment   string
		limit, budget int64
	}{
		"version 2":                    {group("memory.max", "1073741824\n"), "", 966367638, 241591909},
		"version 1":                    {group("memory/memory.limit_in_bytes", "1073741824\n"), "", 966367638, 241591909},
		"no limit in version 2":        {group("memory.max", "max\n"), "", math.MaxInt64, 256 << 20},
		"no limit in version 1":        {group("memory/memory.limit_in_bytes", "9223372036854771712\n"), "", math.MaxInt64, 256 << 20},
		"no control group":             {fstest.MapFS{}, "", math.MaxInt64, 256 << 20},
		"an odd file":                  {group("memory.max", "-1\n"), "", math.MaxInt64, 256 << 20},
		"the environment":              {group("memory.max", "1073741824\n"), "off", math.MaxInt64, 256 << 20},
		"less than four of one hash":   {group("memory.max", "134217728\n"), "", 120795948, password.MaxMemory},
		"much memory, much for hashes": {group("memory.max", "17179869184\n"), "", 15461882262, 3865470565},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			if c.environment != "" {
				t.Setenv("GOMEMLIMIT", c.environment)
			}
			limitMemory(c.group)
			if limit, budget := debug.SetMemoryLimit(-1), hashMemory(); limit != c.limit || budget != c.budget {
				t.Errorf("expected a limit of %d and a budget of %d, got %d and %d", c.limit, c.budget, limit, budget)
			}
		})
	}
}
