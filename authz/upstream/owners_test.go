package upstream

import (
	"slices"
	"testing"
)

func TestTheTenantsOfATokenEndpointAreThoseWhoAskIt(t *testing.T) {
	shared := NewShared()
	server := func(tenant string, exchanged bool) Server {
		return New(Config{Settings: Settings{Endpoint: "https://idp.example.com/token", Exchanged: exchanged, Tenant: func() string { return tenant }}, Shared: shared})
	}
	shop, bank := server("shop", true), server("bank", false)
	if got := shared.Statuses(); len(got) != 1 || !slices.Equal(got[0].Tenants, []string{"bank", "shop"}) {
		t.Errorf("got %+v", got)
	}
	bank.Close()
	if got := shared.Statuses(); len(got) != 1 || !slices.Equal(got[0].Tenants, []string{"shop"}) {
		t.Errorf("got %+v", got)
	}
	shop.Close()
	if got := shared.Statuses(); len(got) != 0 {
		t.Errorf("expected no endpoint to be left, got %+v", got)
	}
}
