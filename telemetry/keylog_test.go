package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

func TestAProviderThatCannotBeReachedIsLoggedOnceAndOnChange(t *testing.T) {
	var out bytes.Buffer
	log := KeyLog{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))}
	set := func(id byte, status jwks.Status, policies ...string) engine.RemoteStatus {
		return engine.RemoteStatus{RemoteSource: engine.RemoteSource{Issuer: "https://idp.example.com"}, Status: status, ID: [32]byte{id}, Policies: policies}
	}
	refused := jwks.Status{Error: "address 10.0.0.5 is private and not dialled: an operator who means it can open it with --egress-allow-cidr=10.0.0.5/32"}
	held := jwks.Status{Error: "answered 500", Keys: 2, Usable: 2, Success: time.Unix(0, 0)}
	old := held
	old.Usable = 0
	const never = `level=WARN msg="the keys of a provider cannot be fetched" source=https://idp.example.com policies="shop/a shop/b" cause="address 10.0.0.5 is private and not dialled: an operator who means it can open it with --egress-allow-cidr=10.0.0.5/32" serving="no keys are held: tokens that need them are answered 503"`
	for i, step := range []struct {
		sets []engine.RemoteStatus
		want string
	}{
		{nil, ""},
		{[]engine.RemoteStatus{set(1, jwks.Status{})}, ""}, // not tried yet
		{[]engine.RemoteStatus{set(1, refused, "shop/a", "shop/b")}, never},
		{[]engine.RemoteStatus{set(1, refused, "shop/a", "shop/b")}, ""},
		{[]engine.RemoteStatus{set(1, refused, "shop/a"), set(2, jwks.Status{Keys: 1})}, ""},
		{[]engine.RemoteStatus{set(1, held, "shop/a")}, `level=WARN msg="the keys of a provider cannot be fetched" source=https://idp.example.com policies=shop/a cause="answered 500" serving="the keys of 1970-01-01T00:00:00Z serve for a day"`},
		{[]engine.RemoteStatus{set(1, old, "shop/a")}, `level=WARN msg="the keys of a provider cannot be fetched" source=https://idp.example.com policies=shop/a cause="answered 500" serving="no keys are held: tokens that need them are answered 503"`},
		{[]engine.RemoteStatus{set(1, jwks.Status{Keys: 3}, "1", "2", "3", "4", "5")}, `level=INFO msg="the keys of a provider are fetched again" source=https://idp.example.com policies="1 2 3 4 5 …" keys=3`},
		{[]engine.RemoteStatus{set(1, jwks.Status{Keys: 3})}, ""},
		{[]engine.RemoteStatus{set(1, refused, "shop/a", "shop/b")}, never},
		{nil, ""}, // no policy names it any more
		{[]engine.RemoteStatus{set(1, refused, "shop/a", "shop/b")}, never},
	} {
		out.Reset()
		changed := log.Look(step.sets)
		if got := strings.TrimSpace(out.String()); got != step.want || changed != (step.want != "") {
			t.Errorf("step %d: %v\nwant %s\ngot  %s", i, changed, step.want, got)
		}
	}
}
