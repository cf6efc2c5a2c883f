package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	barHeight, barGap = 16, 8
	plotLabels        = 250 // the width of labels
	plotBars          = 380
	plotFigures       = 60
)

// plot draws the ratios as bars: the closed loop with 64 in flight, of each scenario, and the empty server. The
// colours are readable on white and on black.
func (r *report) plot() string {
	type bar struct {
		label string
		value float64
	}
	bars := []bar{{"an empty server", 1}}
	most := 1.0
	for _, row := range r.rows {
		if strings.HasPrefix(row.name, "empty") || row.load != row.scenario.loads[0] {
			continue
		}
		label := row.scenario.name
		if row.name == doorAlone {
			label = doorAlone
		}
		if _, form, found := strings.Cut(row.name, ", "); found {
			label += ", " + form
		}
		value := median(slices.Sorted(slices.Values(row.ratios)))
		bars, most = append(bars, bar{label, value}), max(most, value)
	}
	var b strings.Builder
	height := len(bars)*(barHeight+barGap) + barGap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" font-family="sans-serif" font-size="12" role="img">`+"\n",
		plotLabels+plotBars+plotFigures, height)
	b.WriteString("<title>CPU time of a check, as a multiple of an empty server's</title>\n")
	b.WriteString("<style>text { fill: #24292f } .bar { fill: #0969da } .unit { fill: #6e7781 }\n@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #58a6ff } .unit { fill: #8b949e } }</style>\n")
	for i, one := range bars {
		class, y := "bar", barGap+i*(barHeight+barGap)
		if i == 0 {
			class = "unit"
		}
		width := one.value / most * plotBars
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/><text x="%.1f" y="%d">%.2f</text>`+"\n",
			plotLabels-8, y+barHeight-4, html.EscapeString(one.label), class, plotLabels, y, width, barHeight, float64(plotLabels)+width+6, y+barHeight-4, one.value)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
