package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// respond allows the request. It sets what the upstream and the proxy learn,
// and removes the names that only agentauth may set.
type respond struct {
	*outline
	headers, metadata []Value
	token             *tokenStage
}

func (s *respond) run(ctx context.Context, x *exchange) bool {
	d, in, rec := &x.decision, x.input(), x.recorded()
	usual := d.Set == nil
	d.Set = slices.Grow(d.Set, len(s.headers))
	for _, h := range s.headers {
		asked := rec.Asked()
		v, present, err := evalString(ctx, h.Program, in)
		switch {
		case x.replayValue(asked, err):
			continue
		case err != nil:
			return x.failed(ctx, h.Name, "header "+h.Name, err)
		case !present:
			usual = false
			continue
		}
		// White space around a value is no part of it (RFC 9110 5.5).
		v = strings.Trim(v, " \t")
		switch {
		case !authz.ValidFieldValue(v):
			return x.cannotRespond(h.Name, "header "+h.Name+" has a value that no header can have")
		case v != "":
			d.Set = append(d.Set, authz.Header{Name: h.Name, Value: v})
		default:
			usual = false
		}
	}
	for _, m := range s.metadata {
		asked := rec.Asked()
		v, present, err := evalJSON(ctx, m.Program, in)
		if x.replayValue(asked, err) {
			continue
		}
		if err != nil {
			return x.failed(ctx, m.Name, "metadata "+m.Name, err)
		}
		if present {
			if d.Metadata == nil {
				d.Metadata = make(map[string]any, len(s.metadata))
			}
			d.Metadata[m.Name] = v
		}
	}
	if rec != nil && s.token != nil {
		rec.Values++
	} else if s.token.run(ctx, x) { // last: nobody who is refused makes agentauth ask
		return true
	}
	x.removal.all(&x.host)
	if d.Remove = s.usual; !usual || len(x.removal.more) > 0 {
		d.Remove = x.removal.but(d.Set)
	}
	d.Outcome, d.Reason = authz.Allow, authz.Allowed
	if x.trace != nil {
		x.trace.Add(authz.Step{Stage: authz.StageRespond, Outcome: authz.StepDone,
			Detail: fmt.Sprintf("sets %d headers, removes %s", len(d.Set), strings.Join(d.Remove, ", "))})
	}
	return true
}

// failed ends the decision where an expression has no value.
func (x *exchange) failed(ctx context.Context, name, what string, err error) bool {
	detail := what + " failed: " + err.Error()
	if d, late := notEvaluated(ctx, err); late {
		x.trace.Add(authz.Step{Stage: authz.StageRespond, Name: name, Outcome: authz.StepError, Detail: detail})
		return x.decide(d)
	}
	return x.cannotRespond(name, detail)
}

func (x *exchange) cannotRespond(name, detail string) bool {
	x.trace.Add(authz.Step{Stage: authz.StageRespond, Name: name, Outcome: authz.StepError, Detail: detail})
	return x.decide(Unanswerable(detail))
}

// refusalMetadata is the metadata of a refused request, as far as it can be
// evaluated: where nobody was authenticated there is no identity to read.
func (x *exchange) refusalMetadata(ctx context.Context, metadata []Value) map[string]any {
	var out map[string]any
	for _, m := range metadata {
		v, present, err := evalJSON(ctx, m.Program, x.input())
		switch {
		case ctx.Err() != nil:
			return out
		case err != nil || !present:
			continue
		case out == nil:
			out = make(map[string]any, len(metadata))
		}
		out[m.Name] = v
	}
	return out
}
