package telemetry

import (
	"cmp"
	"maps"
	"slices"
)

// busiest says which endpoints have series: maxSources of them, those that were asked
// most. Policies name them, so that there may be any number.
func busiest(requests map[string]uint64) func(endpoint string) bool {
	if len(requests) <= maxSources {
		return func(string) bool { return true }
	}
	endpoints := slices.SortedFunc(maps.Keys(requests), func(a, b string) int {
		return cmp.Or(cmp.Compare(requests[b], requests[a]), cmp.Compare(a, b))
	})
	shown := map[string]bool{}
	for _, endpoint := range endpoints[:maxSources] {
		shown[endpoint] = true
	}
	return func(endpoint string) bool { return shown[endpoint] }
}
