package telemetry

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz/apikey"
)

const (
	// maxKeysShown is how many API keys have a series in one metric.
	maxKeysShown = 500
	// soon is how near the end of a key is that has a series.
	soon = 30 * 24 * time.Hour
)

// RegisterKeys adds the metrics of API keys: those that end soon, and those that are
// used. They are read when the metrics are, from the tables of the policies in force.
func (m *Metrics) RegisterKeys(tables func() []*apikey.Table) {
	m.registry.MustRegister(apiKeys{tables, time.Now})
}

type apiKeys struct {
	tables func() []*apikey.Table
	now    func() time.Time
}

var (
	keysEnding = prometheus.NewDesc("agentauth_api_keys_expiring", "API keys that have not ended, and do within 24h, 7d, 30d.", []string{"within"}, nil)
	keysEnded  = prometheus.NewDesc("agentauth_api_keys_ended", "API keys that have ended and are still in their Secrets.", nil, nil)
	keyEnd     = prometheus.NewDesc("agentauth_api_key_end_timestamp_seconds", "When an API key ends that does so within 30 days.", []string{"secret", "key"}, nil)
	keyUsed    = prometheus.NewDesc("agentauth_api_key_last_used_timestamp_seconds", "When an API key last came, to this replica.", []string{"secret", "key"}, nil)
)

func (k apiKeys) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keysEnding, keysEnded, keyEnd, keyUsed} {
		ch <- d
	}
}

func (k apiKeys) Collect(ch chan<- prometheus.Metric) {
	tables, now := k.tables(), k.now()
	within := map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": soon}
	ending, ended := map[string]int{}, 0
	byEnd := newFirsts(func(s apikey.State) bool { return now.Before(s.End) && s.End.Sub(now) <= soon })
	byUse := newFirsts(func(s apikey.State) bool { return !s.Used.IsZero() })
	apikey.States(tables, func(s apikey.State) {
		byEnd.count(s)
		byUse.count(s)
		if !s.End.IsZero() && !now.Before(s.End) {
			ended++
		}
		for label, limit := range within {
			if now.Before(s.End) && s.End.Sub(now) <= limit {
				ending[label]++
			}
		}
	})
	byEnd.part()
	byUse.part()
	apikey.States(tables, func(s apikey.State) {
		byEnd.add(s)
		byUse.add(s)
	})
	for label := range within {
		ch <- prometheus.MustNewConstMetric(keysEnding, prometheus.GaugeValue, float64(ending[label]), label)
	}
	ch <- prometheus.MustNewConstMetric(keysEnded, prometheus.GaugeValue, float64(ended))
	for s := range byEnd.all {
		ch <- prometheus.MustNewConstMetric(keyEnd, prometheus.GaugeValue, float64(s.End.Unix()), s.Secret, s.Entry)
	}
	for s := range byUse.all {
		ch <- prometheus.MustNewConstMetric(keyUsed, prometheus.GaugeValue, float64(s.Used.Unix()), s.Secret, s.Entry)
	}
}

// firsts are the keys that are shown of those that are wanted: of each namespace those
// that end first, which are those that are rotated away, and as many as of any other.
// It never holds more than twice as many as are shown.
type firsts struct {
	wanted func(apikey.State) bool
	counts map[string]int
	shares map[string]int
	states map[string][]apikey.State
}

func newFirsts(wanted func(apikey.State) bool) *firsts {
	return &firsts{wanted: wanted, counts: map[string]int{}, states: map[string][]apikey.State{}}
}

func (f *firsts) count(s apikey.State) {
	if f.wanted(s) {
		f.counts[s.Namespace()]++
	}
}

// part gives each namespace its part, once all keys are counted.
func (f *firsts) part() { f.shares = shares(f.counts, maxKeysShown) }

func (f *firsts) add(s apikey.State) {
	in := s.Namespace()
	share := f.shares[in]
	if share == 0 || !f.wanted(s) {
		return
	}
	states := append(f.states[in], s)
	if len(states) >= 2*share {
		states = firstOf(states, share)
	}
	f.states[in] = states
}

func (f *firsts) all(yield func(apikey.State) bool) {
	for in, states := range f.states {
		for _, s := range firstOf(states, f.shares[in]) {
			if !yield(s) {
				return
			}
		}
	}
}

// firstOf sorts states, and leaves the first ones.
func firstOf(states []apikey.State, most int) []apikey.State {
	slices.SortFunc(states, func(a, b apikey.State) int {
		if a.End.IsZero() != b.End.IsZero() {
			if a.End.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.End.Compare(b.End), cmp.Compare(a.Secret, b.Secret), cmp.Compare(a.Entry, b.Entry))
	})
	return states[:min(most, len(states))]
}
