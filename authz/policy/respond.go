package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// respond allows the request. It sets what the upstream and the proxy learn,
// and removes the names that only agentauth may set.
type respond struct {
	headers, metadata []Value
	names             Names
}

func newRespond(headers, metadata []Value) *respond {
	return &respond{headers: headers, metadata: metadata, names: NamesOf(headers)}
}

func (s *respond) run(ctx context.Context, x *exchange) bool {
	d, in := &x.decision, x.input()
	for _, h := range s.headers {
		v, present, err := evalString(ctx, h.Program, in)
		switch {
		case err != nil:
			return x.failed(ctx, h.Name, "header "+h.Name, err)
		case !present:
			continue
		}
		// White space around a value is no part of it (RFC 9110 5.5).
		v = strings.Trim(v, " \t")
		switch {
		case !authz.ValidFieldValue(v):
			return x.cannotRespond(h.Name, "header "+h.Name+" has a value that no header can have")
		case v != "":
			d.Set = append(d.Set, authz.Header{Name: h.Name, Value: v})
		}
	}
	for _, m := range s.metadata {
		v, present, err := evalJSON(ctx, m.Program, in)
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
	s.names.remove(x.request, d)
	x.host.clean(x.request, d)
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

// Names are names of headers by their aliases.
type Names map[string]string

// NamesOf are the names of headers that are set.
func NamesOf(headers []Value) Names {
	if len(headers) == 0 {
		return nil
	}
	out := make(Names, len(headers))
	for _, h := range headers {
		out[authz.Alias(h.Name)] = h.Name
	}
	return out
}

// remove removes the names, and every header that came under a name that
// upstreams may take for one of them, but for what the decision sets.
func (n Names) remove(r *authz.Request, d *authz.Decision) {
	if len(n) == 0 {
		return
	}
	for _, name := range n {
		d.Remove = append(d.Remove, name)
	}
	for name := range r.Headers() {
		if n[authz.Alias(name)] != "" {
			d.Remove = append(d.Remove, name)
		}
	}
}

// Reserved are the names that the policies of a host set upstream, by
// namespace. A name means the same on every path of the host, so a caller must
// not send it on any.
type Reserved map[string]Names

// Add adds names to those of a namespace.
func (r Reserved) Add(namespace string, names Names) {
	if r[namespace] == nil {
		r[namespace] = make(Names, len(names))
	}
	maps.Copy(r[namespace], names)
}

// Host is what is known of the host of a request beside its policy.
type Host struct {
	// Reserved are the reserved headers of the host, of which those of Namespace
	// (the policy's) and of Others (the routes') are removed.
	Reserved  []Reserved
	Namespace string
	Others    []string
	// Shared are reserved headers of which those of all namespaces are removed.
	Shared []Reserved
	// TrustForwarded leaves headers that name another host, path or method than the
	// request's: a proxy before the door writes them.
	TrustForwarded bool
}

// clean removes the reserved headers and those that mislead, and puts what is
// removed in order. What the decision sets is not removed: Envoy removes after it
// sets.
func (h *Host) clean(r *authz.Request, d *authz.Decision) {
	for _, reserved := range h.Reserved {
		for ns, names := range reserved {
			if ns == h.Namespace || slices.Contains(h.Others, ns) {
				names.remove(r, d)
			}
		}
	}
	for _, reserved := range h.Shared {
		for _, names := range reserved {
			names.remove(r, d)
		}
	}
	if !h.TrustForwarded {
		d.Remove = append(d.Remove, r.Misleading()...)
	}
	d.Remove = slices.DeleteFunc(d.Remove, func(name string) bool {
		return slices.ContainsFunc(d.Set, func(h authz.Header) bool { return h.Name == name })
	})
	slices.Sort(d.Remove)
	d.Remove = slices.Compact(d.Remove)
}
