package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheReportHasARowForEachServerAndABarForEachScenario(t *testing.T) {
	s := scenarios(scale{})[0]
	one := sample{checks: 10, cpu: 50, allocs: 60, rate: 12_345, p50: time.Millisecond}
	r := report{rows: []row{
		{scenario: s, load: closed64, name: "empty", samples: []sample{one, one}, ratios: []float64{1, 1}},
		{scenario: s, load: closed64, name: "agentauth", samples: []sample{one, one}, ratios: []float64{.5, .25}},
		{scenario: s, load: closed64, name: "agentauth, header_map", samples: []sample{one}, ratios: []float64{.75}},
		{scenario: s, load: closed8, name: "agentauth", samples: []sample{one}, ratios: []float64{9}},
	}, floods: []floodRow{{flood: floods()[0], product: side{quiet: []sample{one}, under: []sample{one}}, empty: side{quiet: []sample{one}, under: []sample{one}}}}}
	text := r.markdown()
	for _, want := range []string{
		"**main**", "| 64 in flight | agentauth | 50.0 (50.0 to 50.0) | 0.38 (0.25 to 0.50) | 60 |", "12,345", "| 8 in flight | agentauth |", "garbage tokens, 4,000/s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q in\n%s", want, text)
		}
	}
	plot := r.plot()
	for d := xml.NewDecoder(strings.NewReader(plot)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
	}
	if bars := strings.Count(plot, "<rect"); bars != 3 || !strings.Contains(plot, "main, header_map") {
		t.Errorf("expected three bars, got %d in\n%s", bars, plot)
	}
}

func TestTheReportIsWrittenBetweenItsMarks(t *testing.T) {
	docs := t.TempDir()
	page := filepath.Join(docs, "performance.md")
	r := report{machine: "a machine"}
	if err := r.write(docs); err == nil {
		t.Error("expected an error without the page")
	}
	if err := os.WriteFile(page, []byte("before\n"+begins+"\nold\n"+ends+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.write(docs); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n"+begins+"\n") || !strings.HasSuffix(got, ends+"\nafter\n") || strings.Contains(got, "old") || strings.Count(got, "a machine") != 1 {
		t.Errorf("got\n%s", got)
	}
	if err := os.WriteFile(page, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.write(docs); err == nil || !strings.Contains(err.Error(), "expected the lines") {
		t.Errorf("expected an error that says what is missing, got %v", err)
	}
}

func TestTheMedianOfAnEvenNumberIsBetweenTwo(t *testing.T) {
	if median([]float64{1, 2, 4}) != 2 || median([]float64{1, 2, 4, 8}) != 3 || median(nil) != 0 {
		t.Error("expected 2, 3 and 0")
	}
}
