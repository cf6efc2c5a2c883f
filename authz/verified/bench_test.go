package verified

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/authn"
)

// credential is as long as a token of a dozen claims.
func credential(n int) string { return strings.Repeat("x", 792) + fmt.Sprintf("%08d", n) }

// BenchmarkHit finds one credential, and each of 10,000 in turn.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := New(Options{Bytes: 256 << 20})
			a := around(c, "shop", &badges{inputs: "x"})
			values := make([]string, n)
			for i := range values {
				values[i] = credential(i)
				use(b, a, values[i])
			}
			ctx := b.Context()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := authn.Presented{Value: values[i*7919%n]}
				if _, err := a.Verify(ctx, &p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHitParallel(b *testing.B) {
	a := around(New(Options{Bytes: 256 << 20}), "shop", &badges{inputs: "x"})
	use(b, a, credential(0))
	value, ctx := credential(0), b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p := authn.Presented{Value: value}
			if _, err := a.Verify(ctx, &p); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkDigest is the part of a hit that nothing can save.
func BenchmarkDigest(b *testing.B) {
	value := credential(0)
	b.ReportAllocs()
	for b.Loop() {
		p := authn.Presented{Value: value}
		p.Digest()
	}
}

// BenchmarkMiss is what the cache adds to a credential that is bad or came first;
// with eviction, others give way to it.
func BenchmarkMiss(b *testing.B) {
	bad := &badges{inputs: "x"}
	a := around(New(Options{Bytes: 256 << 20}), "shop", bad)
	b.ReportAllocs()
	ctx := b.Context()
	for i := 0; b.Loop(); i++ {
		p := authn.Presented{Value: "garbage"}
		if _, err := a.Verify(ctx, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeepWithEviction(b *testing.B) {
	for _, tenants := range []int{1, 10_000} {
		b.Run(fmt.Sprint(tenants, "-namespaces"), func(b *testing.B) {
			c := New(Options{Bytes: 16 << 20})
			var of []authn.Authenticator
			for i := range tenants {
				of = append(of, around(c, fmt.Sprint("shop-", i), &badges{inputs: "x"}))
			}
			values := make([]string, 100_000)
			for i := range values {
				values[i] = credential(i)
				use(b, of[i%tenants], values[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				use(b, of[i%tenants], values[i%len(values)])
			}
		})
	}
}
