package match

import (
	"runtime"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestARegularExpressionIsHeldOnceWhileAnyIndexHasIt(t *testing.T) {
	const pattern = "/shared-by-indexes/[a-z]{1,63}"
	build := func() *Index {
		index, _, err := Build([]Entry{{Hostname: "a.example.test", Match: gatewayv1.HTTPRouteMatch{
			Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: new(pattern)}}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return index
	}
	one, two := build(), build()
	a, b := one.exact["a.example.test"].regex.live[0].path.regex, two.exact["a.example.test"].regex.live[0].path.regex
	if a != b || shared.get(pattern) != a {
		t.Errorf("expected one, got %p and %p", a, b)
	}
	runtime.KeepAlive(one)
	runtime.KeepAlive(two)
	held := func() bool {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		_, held := shared.held[pattern]
		return held
	}
	for deadline := time.Now().Add(30 * time.Second); held(); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("it is held, and nobody has it")
		}
	}
}
