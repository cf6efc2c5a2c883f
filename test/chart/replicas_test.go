//go:build e2e

package chart

import (
	"strconv"
	"strings"
	"testing"
)

// There is no controller here: what an autoscaler would set, kubectl scale sets by the same subresource.
func TestTurningAutoscalingOnTakesNoPodAway(t *testing.T) {
	const base = trusting + "crds: {enabled: false}\n"
	namespaces(t, "scaled", "scaled-client", "scaled-fresh")
	replicas := func(namespace string) int {
		t.Helper()
		n, err := strconv.Atoi(kubectl(t, "", "get", "deployment", "agentauth", "-n", namespace, "-o", "jsonpath={.spec.replicas}"))
		must(t, err)
		return n
	}
	do := func(verb, namespace, values string, flags ...string) {
		t.Helper()
		_, err := helm(t, base+values, append([]string{verb, "agentauth", chartDir, "-n", namespace, "-f", "-"}, flags...)...)
		must(t, err)
	}
	expect := func(want int, when string) {
		t.Helper()
		if got := replicas("scaled"); got != want {
			t.Errorf("%s: expected %d replicas, got %d", when, want, got)
		}
	}
	scale := func(n int) {
		t.Helper()
		kubectl(t, "", "scale", "deployment/agentauth", "-n", "scaled", "--replicas="+strconv.Itoa(n))
	}
	do("install", "scaled", "replicas: 6")
	do("upgrade", "scaled", "replicas: 6\nautoscaling: {enabled: true}")
	expect(6, "turned on")
	do("upgrade", "scaled", "autoscaling: {enabled: true, minReplicas: 8}")
	expect(6, "the autoscaler, not Helm, goes by minReplicas once there are pods")
	scale(9)
	do("upgrade", "scaled", "autoscaling: {enabled: true}\npodLabels: {a: b}") // revision 4
	expect(9, "upgraded after the autoscaler acted")
	scale(3)
	do("upgrade", "scaled", "autoscaling: {enabled: true}\npodLabels: {a: c}")
	expect(3, "upgraded after the autoscaler took pods away")
	_, err := helm(t, "", "rollback", "agentauth", "4", "-n", "scaled")
	must(t, err)
	expect(3, "rolled back to where there were 9")
	// Turned off, the number is Helm's again: it is told of a conflict, and gets it by force, or by the same number.
	if _, err = helm(t, base+"replicas: 4", "upgrade", "agentauth", chartDir, "-n", "scaled", "-f", "-"); err == nil || !strings.Contains(err.Error(), ".spec.replicas") {
		t.Errorf("expected a conflict, got %v", err)
	}
	do("upgrade", "scaled", "replicas: 3")
	expect(3, "turned off")

	// Releases of Helm 3 are applied by the client.
	do("install", "scaled-client", "replicas: 6", "--server-side=false")
	do("upgrade", "scaled-client", "autoscaling: {enabled: true}")
	kubectl(t, "", "scale", "deployment/agentauth", "-n", "scaled-client", "--replicas=7")
	for range 2 {
		do("upgrade", "scaled-client", "autoscaling: {enabled: true}")
		if got := replicas("scaled-client"); got != 7 {
			t.Errorf("applied by the client: expected 7 replicas, got %d", got)
		}
	}

	do("install", "scaled-fresh", "autoscaling: {enabled: true, minReplicas: 3}")
	if got := replicas("scaled-fresh"); got != 3 {
		t.Errorf("expected a new release to begin with minReplicas, got %d", got)
	}
	do("upgrade", "scaled-fresh", "replicas: 0")
	do("upgrade", "scaled-fresh", "autoscaling: {enabled: true, minReplicas: 4}")
	if got := replicas("scaled-fresh"); got != 4 {
		t.Errorf("expected minReplicas where there is no pod, for an autoscaler does nothing there, got %d", got)
	}
	// A tool that renders and applies would undo the autoscaler with every apply.
	out, err := render(t, base+"autoscaling: {enabled: true}")
	must(t, err)
	if got := find(t, objects(t, out), "Deployment", "").at("spec.replicas"); got != nil {
		t.Errorf("expected helm template to leave replicas to the autoscaler, got %v", got)
	}
}
