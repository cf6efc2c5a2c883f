package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// Sizes in pixels, of a column and a row of Grafana's grid.
const column, row, most = 54, 22, 5

var colours = []string{"#0969da", "#bf8700", "#cf222e", "#1a7f37", "#8250df"}

// draw writes the panels as an SVG.
func draw(w io.Writer, panels []panel, query func(panel) ([]line, error)) error {
	var b strings.Builder
	height := 0
	for _, p := range panels {
		height = max(height, (p.GridPos.Y+p.GridPos.H)*row)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" font-family="sans-serif" font-size="11" role="img">`+"\n", 24*column, height)
	b.WriteString("<title>The dashboard of the chart, of a run of test/bench/traffic</title>\n")
	b.WriteString("<style>text { fill: #24292f } .frame { fill: none; stroke: #d0d7de } .row { font-size: 14px; font-weight: bold } path { fill: none; stroke-width: 1.5 }\n@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .frame { stroke: #3d444d } }</style>\n")
	for _, p := range panels {
		x, y := p.GridPos.X*column, p.GridPos.Y*row
		if p.Type == "row" {
			fmt.Fprintf(&b, `<text class="row" x="%d" y="%d">%s</text>`+"\n", x+4, y+16, html.EscapeString(p.Title))
			continue
		}
		lines, err := query(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`, x, y)
		p.draw(&b, lines)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw draws the lines that are highest at their end.
func (p panel) draw(b *strings.Builder, lines []line) {
	width, height := p.GridPos.W*column-8, p.GridPos.H*row-8
	fmt.Fprintf(b, `<rect class="frame" width="%d" height="%d" rx="4"/><text x="6" y="15" font-weight="bold">%s</text>`, width, height, html.EscapeString(p.Title))
	slices.SortStableFunc(lines, func(a, b line) int {
		if x, y := last(a), last(b); x != y {
			return map[bool]int{true: -1, false: 1}[x > y]
		}
		return strings.Compare(a.name, b.name)
	})
	if len(lines) == 0 {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">No data</text>`, width/2, height/2)
	}
	lines = lines[:min(most, len(lines))]
	top, from, to := 0.0, int64(math.MaxInt64), int64(0)
	for _, l := range lines {
		for _, point := range l.points {
			if !math.IsNaN(point.F) {
				top = max(top, point.F)
			}
			from, to = min(from, point.T), max(to, point.T)
		}
	}
	if p.Type == "table" {
		for i, l := range lines {
			fmt.Fprintf(b, `<text x="6" y="%d">%s %s</text>`, 36+i*15, html.EscapeString(cut(l.name, width/7)), p.value(last(l)))
		}
		return
	}
	bottom := height - 14*len(lines) - 6
	if top > 0 {
		fmt.Fprintf(b, `<text x="6" y="32">%s</text>`, p.value(top))
	}
	for i, l := range lines {
		var d strings.Builder
		pen := "M"
		for _, point := range l.points {
			if math.IsNaN(point.F) {
				pen = "M"
				continue
			}
			fx := float64(point.T-from) / max(1, float64(to-from))
			fmt.Fprintf(&d, "%s%.1f %.1f", pen, 6+fx*float64(width-12), float64(bottom)-point.F/max(top, 1e-12)*float64(bottom-38))
			pen = "L"
		}
		fmt.Fprintf(b, `<path d="%s" stroke="%s"/><text x="18" y="%d">%s: %s</text><rect x="6" y="%d" width="8" height="8" fill="%[2]s"/>`,
			d.String(), colours[i], bottom+16+14*i, html.EscapeString(cut(l.name, width/8)), p.value(last(l)), bottom+8+14*i)
	}
}

func last(l line) float64 {
	for _, point := range slices.Backward(l.points) {
		if !math.IsNaN(point.F) {
			return point.F
		}
	}
	return 0
}

// value is a number in the panel's unit.
func (p panel) value(v float64) string {
	switch p.FieldConfig.Defaults.Unit {
	case "s":
		switch {
		case v >= 2*86400:
			return fmt.Sprintf("%.1f d", v/86400)
		case v >= 1 || v == 0:
			return fmt.Sprintf("%.1f s", v)
		case v >= 1e-3:
			return fmt.Sprintf("%.2f ms", v*1e3)
		}
		return fmt.Sprintf("%.0f µs", v*1e6)
	case "reqps", "ops":
		return fmt.Sprintf("%.2f/s", v)
	case "percentunit":
		return fmt.Sprintf("%.0f %%", v*100)
	case "bytes":
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	}
	return fmt.Sprintf("%.4g", v)
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:max(0, most-1)] + "…"
	}
	return s
}
