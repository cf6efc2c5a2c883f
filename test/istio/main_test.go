//go:build e2e && linux

package istio

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestMain(m *testing.M) {
	cases.Now = time.Now()
	parts.Main(m, "istio", parts.Private, theStage.start)
}
