package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

// Config is what a [Stream] needs.
type Config struct {
	// Sinks are written to, each on its own; at least one.
	Sinks []Sink
	// Path is the form of paths; "" is full.
	Path PathMode
	// Allows is the part of allowances that is recorded, from 0 to 1. Everything else
	// is recorded always. AllowsOf is that of a policy ("namespace/name"), or of those of
	// a namespace ("namespace/*"); the most specific one counts.
	Allows   float64
	AllowsOf map[string]float64
	// Claims are the names of the claims of verified identities that are recorded.
	Claims []string
	// Required says that no decision is given that was not written to every sink.
	Required bool
	// Process is who writes.
	Process Process
	// Proxy is who asked for a decision, of its ctx; nil: nobody knows.
	Proxy func(context.Context) string
	// MaxWaiting is how many records wait for a sink at most; 0 is 65,536.
	MaxWaiting int
	// Now is the time; nil is that of the system.
	Now func() time.Time
}

// Sink is where lines go.
type Sink struct {
	// Name is the word for it in logs and metrics.
	Name string
	// Line writes one line, line break included. It may block.
	Line io.Writer
	// Batches takes many lines at once, in place of Line; nil: Line does.
	Batches Batches
	// Last is the last whole line that was written before and what stands behind it,
	// without the line break at the end; nil if there is none.
	Last []byte
	// Close ends it; nil: nothing is to be done.
	Close func() error
}

// Stream records decisions. A nil Stream records nothing.
type Stream struct {
	paths    paths
	claims   []string
	samples  samples
	required bool
	proxy    func(context.Context) string
	queues   []*queue
	now      func() time.Time
}

// New begins a stream, whose first record says that it begins.
func New(c Config) (*Stream, error) {
	if len(c.Sinks) == 0 {
		return nil, errors.New("an audit stream needs a sink")
	}
	s := &Stream{paths: paths{mode: c.Path}, claims: c.Claims, samples: newSamples(c.Allows, c.AllowsOf), required: c.Required, proxy: c.Proxy, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.paths.mode == "" {
		s.paths.mode = PathFull
	}
	if s.paths.mode == PathHash {
		s.paths.key = make([]byte, 32)
		_, _ = rand.Read(s.paths.key) // it never fails
	}
	start := newRecord(ActionStart, s.now())
	start.Agentauth.Process, start.Agentauth.Allows = &c.Process, s.samples.list()
	for _, sink := range c.Sinks {
		chain, err := continued(sink.Last)
		if err != nil {
			return nil, err
		}
		s.queues = append(s.queues, newQueue(sink, chain, cmp.Or(c.MaxWaiting, maxWaiting), s.now))
	}
	s.put(context.Background(), start)
	return s, nil
}

// Decision records a decision. False says that it must not be given: that records are
// required, and this one was not written in time.
func (s *Stream) Decision(ctx context.Context, raw *authz.Raw, d *authz.Decision, at time.Time, took time.Duration) bool {
	if s == nil {
		return true
	}
	var fraction float64
	if d.Outcome == authz.Allow && d.Refused == nil { // a revoked credential is recorded whatever came beside it
		sample := s.samples.of(d.Policy)
		if !sample.has() {
			return true
		}
		fraction = sample.fraction()
	}
	r := s.decision(raw, d, at, took)
	r.Agentauth.Sampled = fraction
	if s.proxy != nil {
		r.Agentauth.Proxy = brief(s.proxy(ctx))
	}
	return s.put(ctx, r)
}

// Policies records changes of policies; changed is how many there are, the first of which
// are listed.
func (s *Stream) Policies(changes []authz.PolicyChange, changed int) {
	if s == nil {
		return
	}
	at := s.now()
	for i := range changes {
		s.put(context.Background(), policy(&changes[i], at))
	}
	if more := changed - len(changes); more > 0 {
		r := newRecord(ActionPolicy, at)
		r.Agentauth.Missing = uint64(more) // #nosec G115 -- it is positive
		s.put(context.Background(), r)
	}
}

// Revocation records that a revocation was added (it came in force), ended or removed.
func (s *Stream) Revocation(change string, r Revocation) {
	if s == nil {
		return
	}
	record := newRecord(ActionRevocation, s.now())
	r.Name, r.Revokes, r.Scope, r.Reason, r.Until = brief(r.Name), brief(r.Revokes), brief(r.Scope), brief(r.Reason), r.Until.UTC()
	record.Agentauth = Details{Change: change, Revocation: &r}
	s.put(context.Background(), record)
}

// put encodes a record and hands it to every queue. False: it is required, and some sink
// has not got it.
func (s *Stream) put(ctx context.Context, r *Record) bool {
	line, err := encode(r)
	if err != nil {
		for _, q := range s.queues {
			q.drop()
		}
		return !s.required
	}
	if !s.required || r.Event.Action != ActionDecision {
		for _, q := range s.queues {
			q.put(line, nil)
		}
		return true
	}
	written := make(chan bool, len(s.queues))
	for _, q := range s.queues {
		q.put(line, written)
	}
	late := time.NewTimer(patience(ctx))
	defer late.Stop()
	ok := true
	for range s.queues {
		select {
		case one := <-written:
			ok = ok && one
		case <-late.C:
			return false
		}
	}
	return ok
}

// patience is for how long a decision waits for its record: half of the time that is left
// to the check, so that the answer arrives, and at most a second.
func patience(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Second
	}
	return min(time.Second, time.Until(end)/2)
}

// encode is a record without its place in a chain, which each queue gives it.
func encode(r *Record) ([]byte, error) {
	data, err := json.Marshal(r, jsontext.AllowInvalidUTF8(true)) // it writes � for it
	if err != nil {
		return nil, err
	}
	return slices.Clip(data), nil
}

// Stats are the counts of each sink.
func (s *Stream) Stats() []Stats {
	if s == nil {
		return nil
	}
	out := make([]Stats, len(s.queues))
	for i, q := range s.queues {
		out[i] = q.stats()
	}
	return out
}

// Stats are the counts of a sink.
type Stats struct {
	Sink             string
	Written, Dropped uint64
	// Seq and Hash are those of the last line.
	Seq  uint64
	Hash string
	// Error is why the last write failed; "" if it did not.
	Error string
}

// Close writes what waits, at most until ctx ends, and says in the stream that it ends.
func (s *Stream) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.put(context.Background(), newRecord(ActionStop, s.now()))
	var all []error
	for _, q := range s.queues {
		all = append(all, q.close(ctx))
	}
	return errors.Join(all...)
}
