package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// table is a set's results in Markdown: medians, and the ratio to the same round's empty server with its extremes.
func table(set set, results [][]result) string {
	unit := slices.IndexFunc(set.variants, func(v variant) bool { return v.server == empty })
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n\n", set.title)
	b.WriteString("| | requests/s | p50 ms | p99 ms | Envoy µs | server µs | Envoy, ratio | both, ratio |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for i, v := range set.variants {
		own := results[i]
		rate := median(own, func(r result) float64 { return r.rate })
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.2f | %.1f | ", v.name, rate,
			milli(own, func(r result) time.Duration { return r.p50 }), milli(own, func(r result) time.Duration { return r.p99 }),
			micro(own, func(r result) time.Duration { return r.envoy }))
		if v.server != nobody {
			fmt.Fprintf(&b, "%.1f", micro(own, func(r result) time.Duration { return r.server }))
		}
		fmt.Fprintf(&b, " | %s | %s |\n",
			ratios(own, results[unit], func(r result) time.Duration { return r.envoy }), ratios(own, results[unit], result.both))
	}
	var all []result
	for _, own := range results {
		all = append(all, own...)
	}
	fmt.Fprintf(&b, "\nOther programs used %.2f cores (median) meanwhile.\n", median(all, func(r result) float64 { return r.others }))
	if notes := changed(set.variants); notes != "" {
		b.WriteString("\nNot for agentauth, as it takes something away:\n\n" + notes)
	}
	return b.String()
}

// ratios is the median of the rounds' ratios, the least and the most.
func ratios(own, unit []result, of func(result) time.Duration) string {
	var all []float64
	for round := range own {
		all = append(all, float64(of(own[round]))/float64(max(of(unit[round]), 1)))
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle(all), all[0], all[len(all)-1])
}

func micro(results []result, of func(result) time.Duration) float64 {
	return median(results, func(r result) float64 { return float64(of(r)) / float64(time.Microsecond) })
}

func milli(results []result, of func(result) time.Duration) float64 {
	return micro(results, of) / 1000
}

func median(results []result, of func(result) float64) float64 {
	var all []float64
	for _, r := range results {
		all = append(all, of(r))
	}
	slices.SortFunc(all, cmp.Compare[float64])
	return middle(all)
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// preamble says what was measured.
func preamble(o options) string {
	return fmt.Sprintf("One Envoy with one worker thread, %d connections of HTTP/1.1 with one request under way each, %d policies, "+
		"%d rounds of %s. What is let pass is answered by Envoy itself. CPU is that of the whole process, for one request.\n",
		o.connections, o.policies+1, o.rounds, o.duration)
}

const (
	begin = "<!-- a real Envoy: begin -->\n"
	end   = "<!-- a real Envoy: end -->\n"
)

// writePage puts text between the two markers of a page.
func writePage(name, text string) error {
	page, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s: expected the lines %q and %q", name, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(name, []byte(before+begin+text+end+after), 0o644) // #nosec G306 -- a page of the repository
}
