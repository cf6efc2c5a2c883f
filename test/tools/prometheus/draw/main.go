// Command draw draws the dashboard of the chart from scrapes: each expression is evaluated by Prometheus' own engine,
// and drawn here, not by Grafana.
//
//	draw DASHBOARD SCRAPES >docs/dashboard.svg
//
// SCRAPES is a directory of the answers of /metrics, each in a file <Unix time>.prom (test/bench/traffic makes one).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

// panel is a panel of Grafana.
type panel struct {
	Title, Type string
	GridPos     struct{ H, W, X, Y int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct{ Expr, LegendFormat string }
}

// line is a series with the name that the legend has.
type line struct {
	name   string
	points []promql.FPoint
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: draw DASHBOARD SCRAPES")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dashboard, scrapes string) error {
	data, err := os.ReadFile(dashboard)
	if err != nil {
		return err
	}
	var all struct{ Panels []panel }
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "draw-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	defer db.Close()
	begin, end, err := load(ctx, db, scrapes)
	if err != nil {
		return err
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000_000, Timeout: time.Minute, LookbackDelta: time.Minute})
	query := func(p panel) (lines []line, err error) {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "20s", "$job", ".*").Replace(target.Expr)
			q, err := engine.NewRangeQuery(ctx, db, nil, expr, begin.Add(20*time.Second), end, 2*time.Second)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.Title, err)
			}
			matrix, err := q.Exec(ctx).Matrix()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.Title, err)
			}
			for _, series := range matrix {
				lines = append(lines, line{legend(target.LegendFormat, series.Metric), slices.Clone(series.Floats)})
			}
			q.Close()
		}
		return lines, nil
	}
	return draw(os.Stdout, all.Panels, query)
}

// load puts scrapes into a database, as a job named agentauth.
func load(ctx context.Context, db *tsdb.DB, scrapes string) (begin, end time.Time, err error) {
	files, err := filepath.Glob(filepath.Join(scrapes, "*.prom"))
	if err != nil || len(files) < 2 {
		return begin, end, fmt.Errorf("%s: expected scrapes, found %d (%v)", scrapes, len(files), err)
	}
	slices.Sort(files)
	read := parser.NewParser(parser.Options{})
	for _, file := range files {
		seconds, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".prom"), 10, 64)
		if err != nil {
			return begin, end, err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return begin, end, err
		}
		end = time.Unix(seconds, 0)
		if begin.IsZero() {
			begin = end
		}
		app := db.Appender(ctx)
		for text := range strings.Lines(string(data)) {
			series, value, ok := cutLast(strings.TrimSpace(text))
			if !ok || strings.HasPrefix(text, "#") {
				continue
			}
			metric, err := read.ParseMetric(series)
			if err != nil {
				return begin, end, fmt.Errorf("%s: %s: %w", file, series, err)
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return begin, end, err
			}
			with := labels.NewBuilder(metric).Set("job", "agentauth").Set("instance", "127.0.0.1:8080").Labels()
			if _, err := app.Append(0, with, end.UnixMilli(), v); err != nil {
				return begin, end, err
			}
		}
		if err := app.Commit(); err != nil {
			return begin, end, err
		}
	}
	return begin, end, nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

var absent = regexp.MustCompile(`\{\{\w+\}\}`)

// legend is what Grafana makes of {{label}}.
func legend(format string, metric labels.Labels) string {
	if format == "" {
		return labels.NewBuilder(metric).Del("job", "instance").Labels().String()
	}
	pairs := []string{}
	metric.Range(func(l labels.Label) { pairs = append(pairs, "{{"+l.Name+"}}", l.Value) })
	name := strings.NewReplacer(pairs...).Replace(format)
	return strings.TrimSpace(absent.ReplaceAllString(name, "")) // a label that a series does not have is empty
}
