//go:build e2e

package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestEveryDecisionOfTheDemoIsAsExpected(t *testing.T) {
	binary, err := parts.Build(t.Context(), parts.TestDir(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(context.Background(), &out, proxy, binary, false); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
