package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestMergesThatDoubleAtEveryLevelAreReadOnce(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\na0: &a0 {x: y}\n")
	for i := 1; i <= 45; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	b.WriteString("metadata: {<<: *a45, name: x}\n")
	done := make(chan []authz.Problem, 1)
	go func() {
		_, problems := parsed("bomb.yaml", b.String())
		done <- problems
	}()
	select {
	case problems := <-done:
		if len(problems) == 0 {
			t.Error("expected the unknown fields to be refused")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a manifest of 2 KB is still being read after 20 s")
	}
}
