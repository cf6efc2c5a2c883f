//go:build e2e && linux

package gateway

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestMain(m *testing.M) {
	cases.Now = time.Now()
	parts.Main(m, "gateway", parts.Private, theStage.start)
}
