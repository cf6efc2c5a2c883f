package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachVariantIsWhatThePageSaysButForItsChange(t *testing.T) {
	d := doors{agentauth: "127.0.0.1:1", empty: "127.0.0.1:2", emptySocket: "empty.sock"}
	filter, _, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	plain := variant{name: "plain", server: empty}
	want := asJSON(t, plain.ownFilters("c", filter, d))
	for _, set := range sets {
		for _, v := range set.variants {
			if v.server == nobody {
				continue
			}
			same := asJSON(t, v.ownFilters("c", filter, d)) == want
			if changes := v.filter != nil || v.google; same == changes {
				t.Errorf("%s: expected a filter that differs (%v) from docs/envoy.md, got %v", v.name, changes, !same)
			}
		}
	}
	if !strings.Contains(want, `"encode_raw_headers":true`) || !strings.Contains(want, `"cluster_name":"c"`) {
		t.Errorf("expected the filter of docs/envoy.md with the variant's own cluster, got %s", want)
	}
}

func TestBootstrapHasAListenerForEachVariant(t *testing.T) {
	var variants []variant
	var ports []int
	for _, set := range sets {
		for range set.variants {
			ports = append(ports, 20000+len(ports))
		}
		variants = append(variants, set.variants...)
	}
	text, err := bootstrap(variants, ports, doors{agentauth: "127.0.0.1:1", empty: "127.0.0.1:2", emptySocket: "empty.sock"})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), `"filter_chains"`); n != len(variants) {
		t.Errorf("expected %d listeners, got %d", len(variants), n)
	}
}

func TestAnAnswerIsWholeAtItsEndAndOnlyA200Counts(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: envoy\r\n\r\nok"
	for n := range len(answer) {
		if whole, err := isWhole([]byte(answer[:n])); whole || err != nil {
			t.Errorf("%d bytes: expected no whole answer, got %v, %v", n, whole, err)
		}
	}
	if whole, err := isWhole([]byte(answer)); !whole || err != nil {
		t.Errorf("expected a whole answer, got %v, %v", whole, err)
	}
	if _, err := isWhole([]byte("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")); err == nil {
		t.Error("a refusal was taken for an answer")
	}
}

func TestThePageGetsTheTablesBetweenItsMarkers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(name, []byte("# Page\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writePage(name, "new\n"); err == nil {
		t.Error("a page without markers was written")
	}
	if err := os.WriteFile(name, []byte("above\n"+begin+"old\n"+end+"below\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writePage(name, "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := "above\n" + begin + "new\n" + end + "below\n"; string(got) != want {
		t.Errorf("expected %q, got %q", want, got)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
