package objects

import (
	"fmt"
	"testing"
)

// One of 20,000 objects changes, in a cluster whose lists are in no order.
func BenchmarkOneChange(b *testing.B) {
	for _, namespaces := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d namespaces", namespaces), func(b *testing.B) {
			var secrets, configMaps []*Object
			for i := range 10_000 {
				in := fmt.Sprint("tenant-", i%namespaces)
				secrets = append(secrets, keysIn(in, fmt.Sprint("secret-", i), "team", fmt.Sprint("team-", i)))
				configMaps = append(configMaps, &Object{Namespace: in, Name: fmt.Sprint("map-", i)})
			}
			var store Store
			view := store.View(nil, secrets, configMaps, nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o := *secrets[i%len(secrets)]
				secrets[i%len(secrets)] = &o
				view = store.View(view.Kept(), secrets, configMaps, nil)
			}
		})
	}
}
