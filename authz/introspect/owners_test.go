package introspect

import (
	"slices"
	"testing"
)

func TestTheTenantsOfAnEndpointAreThoseOfItsServers(t *testing.T) {
	shared := NewShared()
	server := func(tenant string) *Server {
		return New(Config{Endpoint: "https://idp.example.com/introspect", Shared: shared, Tenant: func() string { return tenant }})
	}
	want := func(tenants ...string) {
		t.Helper()
		if got := shared.Counts(); len(got) != len(Outcomes()) || !slices.Equal(got[0].Tenants, tenants) {
			t.Errorf("expected %v, got %+v", tenants, got)
		}
	}
	shop, bank, again := server("shop"), server("bank"), server("shop")
	want("bank", "shop")
	bank.Close()
	bank.Close()
	want("shop")
	shop.Close()
	want("shop")
	again.Close()
	if got := shared.Counts(); len(got) != 0 {
		t.Errorf("expected no endpoint to be left, got %+v", got)
	}
	New(Config{Endpoint: "https://idp.example.com/introspect", Shared: shared})
	want("")
}
