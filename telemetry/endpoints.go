package telemetry

import (
	"cmp"
	"maps"
	"slices"
)

// endpoint is one that policies name, so that there may be any number.
type endpoint struct {
	// tenants ask it.
	tenants  []string
	requests uint64
}

// busiest says which endpoints have series: maxSources of them. Each tenant has as many
// places as any other, and has those shown in them that were asked most. An endpoint of
// several tenants is shown in the place of any.
func busiest(endpoints map[string]*endpoint) func(name string) bool {
	if len(endpoints) <= maxSources {
		return func(string) bool { return true }
	}
	of, wanted := map[string][]string{}, map[string]int{}
	for _, name := range slices.SortedFunc(maps.Keys(endpoints), func(a, b string) int {
		return cmp.Or(cmp.Compare(endpoints[b].requests, endpoints[a].requests), cmp.Compare(a, b))
	}) {
		tenants := endpoints[name].tenants
		if len(tenants) == 0 {
			tenants = []string{""}
		}
		for _, tenant := range tenants {
			of[tenant] = append(of[tenant], name)
			wanted[tenant]++
		}
	}
	shown := map[string]bool{}
	for tenant, n := range shares(wanted, maxSources) {
		for _, name := range of[tenant][:n] {
			shown[name] = true
		}
	}
	return func(name string) bool { return shown[name] }
}

// add adds requests to an endpoint.
func add(endpoints map[string]*endpoint, name string, tenants []string, requests uint64) {
	e := endpoints[name]
	if e == nil {
		e = &endpoint{tenants: tenants}
		endpoints[name] = e
	}
	e.requests += requests
}
