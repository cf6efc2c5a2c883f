package match

import (
	"slices"
	"strings"
	"testing"
)

// smallHosts are all hosts of one to four labels, each "a" or "b".
func smallHosts() []string {
	var all []string
	last := []string{""}
	for range 4 {
		var next []string
		for _, h := range last {
			for _, label := range []string{"a", "b"} {
				next = append(next, strings.TrimSuffix(label+"."+h, "."))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// smallPatterns are the hosts of at most three labels, a wildcard above each,
// and "*".
func smallPatterns() []string {
	all := []string{"*"}
	for _, h := range smallHosts() {
		if strings.Count(h, ".") < 3 {
			all = append(all, h)
		}
		if strings.Count(h, ".") < 2 {
			all = append(all, "*."+h)
		}
	}
	return all
}

// covered says by labels what package match says by suffixes.
func covered(host, pattern string) bool {
	if pattern == "*" {
		return true
	}
	labels, want := strings.Split(host, "."), strings.Split(pattern, ".")
	if want[0] != "*" {
		return slices.Equal(labels, want)
	}
	want = want[1:]
	return len(labels) > len(want) && slices.Equal(labels[len(labels)-len(want):], want)
}

func hostsOf(pattern string) []string {
	return slices.DeleteFunc(smallHosts(), func(h string) bool { return !covered(h, pattern) })
}

func TestAHostnameIsWithinAPatternThatCoversAllItsHosts(t *testing.T) {
	for _, a := range smallPatterns() {
		for _, b := range smallPatterns() {
			hosts := hostsOf(a)
			want := !slices.ContainsFunc(hosts, func(h string) bool { return !covered(h, b) })
			if got := Within(a, b); got != want {
				t.Errorf("Within(%q, %q): got %t", a, b, got)
			}
			overlap := slices.ContainsFunc(hosts, func(h string) bool { return covered(h, b) })
			if got := Overlap(a, b); got != overlap {
				t.Errorf("Overlap(%q, %q): got %t", a, b, got)
			}
		}
	}
}

func TestCoveringYieldsEveryPatternThatAHostnameIsWithinTheMostSpecificFirst(t *testing.T) {
	for _, a := range smallPatterns() {
		var want []string
		for _, b := range smallPatterns() {
			if Within(a, b) {
				want = append(want, b)
			}
		}
		slices.SortFunc(want, func(x, y string) int { return len(hostsOf(x)) - len(hostsOf(y)) })
		if got := slices.Collect(Covering(a)); !slices.Equal(got, want) {
			t.Errorf("Covering(%q): got %q, want %q", a, got, want)
		}
	}
	for range Covering("a.b") {
		break // a caller may stop at each of them
	}
}

func TestOfTwoPatternsOfOneHostTheNarrowerIsMoreSpecific(t *testing.T) {
	for _, host := range smallHosts() {
		for _, a := range smallPatterns() {
			for _, b := range smallPatterns() {
				if !covered(host, a) || !covered(host, b) {
					continue
				}
				want := len(hostsOf(b)) - len(hostsOf(a))
				if got := CompareHostnames(a, b); got > 0 != (want > 0) || got < 0 != (want < 0) {
					t.Errorf("CompareHostnames(%q, %q): got %d", a, b, got)
				}
			}
		}
	}
	if CompareHostnames("*", "") <= 0 || CompareHostnames("", "a") >= 0 || CompareHostnames("", "") != 0 {
		t.Error(`expected "" to be less specific than any pattern`)
	}
}

func TestTheClosestPatternIsTheFirstThatCoversAHostname(t *testing.T) {
	all := smallPatterns()
	for start := range all {
		byPattern := map[string]string{}
		for i := start; i < len(all); i += 3 {
			byPattern[all[i]] = all[i]
		}
		for _, name := range slices.Concat(smallHosts(), all) {
			want := ""
			for p := range Covering(name) {
				if byPattern[p] != "" {
					want = p
					break
				}
			}
			if got, ok := Closest(byPattern, name); got != want || ok != (want != "") {
				t.Errorf("the closest to %q: got %q, want %q", name, got, want)
			}
		}
	}
	if _, ok := Closest[int](nil, "a"); ok {
		t.Error("a pattern was found among none")
	}
	byPattern := map[string]int{"*.com": 1}
	if n := testing.AllocsPerRun(100, func() { Closest(byPattern, "a.b.c.example.com") }); n != 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}
