package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/mcp"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// MCP says what a server of the Model Context Protocol is asked for, and who may.
type MCP struct {
	// Methods, Tools, Resources and Prompts are rules by what a call names.
	Methods, Tools, Resources, Prompts []MCPEntry
}

// MCPEntry is a rule for what its Names name: whole, or with a "*" at the end what
// begins so.
type MCPEntry struct {
	// Name says which entry it is: mcp.tools[1].
	Name          string
	Names, Scopes []string
	// Require must be true; nil requires nothing.
	Require *expr.Program
}

// MCPOf makes an MCP of a specification. compile makes a program of a condition.
func MCPOf(m *v1alpha1.MCP, compile func(v1alpha1.Expression, *field.Path) *expr.Program) *MCP {
	if m == nil {
		return nil
	}
	entries := func(list string, rules []v1alpha1.MCPRule) (out []MCPEntry) {
		for i, r := range rules {
			e := MCPEntry{Name: fmt.Sprintf("mcp.%s[%d]", list, i), Names: r.Names}
			for _, s := range r.Scopes {
				e.Scopes = append(e.Scopes, string(s))
			}
			if r.Require != "" {
				e.Require = compile(r.Require, field.NewPath("spec", "mcp", list).Index(i).Child("require"))
			}
			out = append(out, e)
		}
		return out
	}
	return &MCP{Methods: entries("methods", m.Methods), Tools: entries("tools", m.Tools),
		Resources: entries("resources", m.Resources), Prompts: entries("prompts", m.Prompts)}
}

// names says whether the entry names something.
func (e *MCPEntry) names(came string) bool {
	return slices.ContainsFunc(e.Names, func(name string) bool {
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			return strings.HasPrefix(came, prefix)
		}
		return came == name
	})
}

// calls reads the call of a request to a server of MCP, and finds the entries for what
// it names. Their scopes are asked for by the stage scopes, the rest by agrees.
type calls struct {
	lists map[mcp.Kind]callList
	// arguments: an expression reads those of calls, so they are read here, where it
	// is known how long they are.
	arguments bool

	bodyMissing, notAllowed *denial
}

// callList are the entries for what calls of a kind name.
type callList struct {
	what, field string
	entries     []entry
	names       int // of all entries
}

// entry is an MCPEntry, and its requirement as a rule.
type entry struct {
	*MCPEntry
	rule *rule
}

// asked is an entry for a call. Of a call that names several resources, the call is as
// if it named one.
type asked struct {
	entry *entry
	call  *mcp.Call
}

func newCalls(c Config) *calls {
	list := func(what, field string, entries []MCPEntry) callList {
		out := callList{what: what, field: field}
		for i := range entries {
			e := &entries[i]
			out.names += len(e.Names)
			out.entries = append(out.entries, entry{e, &rule{Rule: Rule{Name: e.Name, Require: e.Require}}})
		}
		return out
	}
	return &calls{arguments: readsArguments(c), bodyMissing: noWholeBody.of(c.Unauthorized), notAllowed: noEntryNames.of(c.Unauthorized), lists: map[mcp.Kind]callList{
		mcp.Nothing:  list("method", "mcp.methods", c.MCP.Methods),
		mcp.Tool:     list("tool", "mcp.tools", c.MCP.Tools),
		mcp.Resource: list("resource", "mcp.resources", c.MCP.Resources),
		mcp.Prompt:   list("prompt", "mcp.prompts", c.MCP.Prompts),
	}}
}

func readsArguments(c Config) bool {
	var all []*expr.Program
	for _, r := range c.Rules {
		all = append(all, r.When, r.Require)
	}
	for _, e := range slices.Concat(c.MCP.Methods, c.MCP.Tools, c.MCP.Resources, c.MCP.Prompts) {
		all = append(all, e.Require)
	}
	for _, v := range slices.Concat(c.Headers, c.Metadata, c.Token.claimsOf()) {
		all = append(all, v.Program)
	}
	return slices.ContainsFunc(all, (*expr.Program).ReadsArguments)
}

// perByte is what a byte of a body takes at most to read, arguments included, and
// perBody what comes on top.
const perByte, perBody = 100 * time.Nanosecond, 20 * time.Microsecond

// perName is what a comparison of two names takes at most.
const perName = 10 * time.Nanosecond

func (s *calls) run(ctx context.Context, x *exchange) bool {
	if rec := x.recorded(); rec.Lacks("request.body") && (x.request.Method == mcp.Post || rec.Reason.OfMCP()) {
		return x.unknown("the call of MCP, which is in the body")
	}
	var d authz.Decision
	decided, atMost := false, perBody
	if n := len(x.request.Body); x.request.BodyKnown && n <= mcp.MaxBody {
		atMost += time.Duration(n) * perByte
	}
	late := work.BudgetOf(ctx).Run(ctx, atMost, func() { d, decided = s.read(x) })
	if late == nil && !decided {
		list := s.lists[x.call.Kind]
		atMost = time.Duration(max(1, len(x.call.Resources))*list.names) * perName
		late = work.BudgetOf(ctx).Run(ctx, atMost, func() { d, decided = s.match(x, &list) })
	}
	switch {
	case late != nil:
		return x.decide(Unavailable(authz.Overloaded, "too many long bodies are waiting to be read, or this one takes longer than the time that is left", 0))
	case decided:
		return x.decide(d)
	case x.trace != nil:
		x.trace.Add(authz.Step{Stage: authz.StageMCP, Outcome: authz.StepDone, Read: described(x.call), Detail: described(x.call) + x.entriesAsked()})
	}
	return false
}

func (s *calls) read(x *exchange) (d authz.Decision, decided bool) {
	call, err := mcp.Read(x.request, x.host.TrustMCPMetadata)
	if err != nil {
		return s.refuse(x, err), true
	}
	if x.call = call; s.arguments {
		_, _ = call.Arguments() // the expression that reads them has the error
	}
	return d, false
}

// match finds the entries for the call. Where a list is given it names all that may be
// named; a method that no entry names is let through.
func (s *calls) match(x *exchange, list *callList) (d authz.Decision, decided bool) {
	if call := x.call; call.Kind == mcp.Nothing {
		if call.Method != "" {
			x.asked = list.find(x.asked, call.Method, call)
		}
		return d, false
	}
	if len(list.entries) == 0 {
		return d, false
	}
	names := x.call.Names()
	for _, name := range names {
		call, before := x.call, len(x.asked)
		if len(names) > 1 {
			call = x.call.OfResource(name)
		}
		if x.asked = list.find(x.asked, name, call); len(x.asked) == before {
			return s.refuseName(x, list, name), true
		}
	}
	return d, false
}

// find appends the entries that name something.
func (l *callList) find(found []asked, name string, call *mcp.Call) []asked {
	for i := range l.entries {
		if l.entries[i].names(name) {
			found = append(found, asked{&l.entries[i], call})
		}
	}
	return found
}

// maxNameShown bounds a name of a call that is shown, in bytes.
const maxNameShown = 100

// described is a call for people.
func described(c *mcp.Call) string {
	if c.Method == "" {
		return "no method"
	}
	out := c.Method
	for _, name := range c.Names() {
		out += " " + strconv.Quote(authz.Cut(name, maxNameShown))
	}
	return authz.Cut(out, 4*maxNameShown)
}

func (x *exchange) entriesAsked() string {
	if len(x.asked) == 0 {
		return ": no entry names it, so authentication is enough"
	}
	var names []string
	for _, a := range x.asked {
		if !slices.Contains(names, a.entry.Name) {
			names = append(names, a.entry.Name)
		}
	}
	return " is named by " + strings.Join(names, ", ")
}

// refuse is the decision where no call can be read.
func (s *calls) refuse(x *exchange, err error) authz.Decision {
	var e *mcp.Error
	if !errors.As(err, &e) {
		return Unavailable(authz.Internal, "a defect of agentauth: a request of MCP without an answer", 0)
	}
	x.trace.Add(authz.Step{Stage: authz.StageMCP, Outcome: authz.StepRefused, Detail: e.Error()})
	d := authz.Decision{Outcome: authz.Deny, Reason: e.Reason, Detail: e.Error()}
	switch {
	case e.Reason == authz.MCPBodyMissing:
		s.bodyMissing.answer(&d)
	case x.request.Method != mcp.Post:
		newDenial(400, "The request is none of MCP: "+e.Error()+".", "", nil).answer(&d)
	default:
		d.Status, d.Body = 400, rpcError(e, x.request.ID)
		d.Headers = []authz.Header{{Name: "content-type", Value: "application/json"}}
	}
	return d
}

// refuseName is the decision where no entry names what the call does.
func (s *calls) refuseName(x *exchange, list *callList, name string) authz.Decision {
	detail := "no entry of " + list.field + " names the " + list.what + " " + strconv.Quote(authz.Cut(name, maxNameShown))
	x.trace.Add(authz.Step{Stage: authz.StageMCP, Outcome: authz.StepRefused, Read: described(x.call), Detail: detail})
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.MCPNotAllowed, Detail: detail}
	s.notAllowed.answer(&d)
	return d
}

// agrees requires the requirement of every entry for the call to hold.
type agrees struct{ rules *rules }

func (s *agrees) run(ctx context.Context, x *exchange) bool {
	whole := x.call
	for _, a := range x.asked {
		if a.entry.Require == nil {
			continue
		}
		x.call = a.call
		if s.rules.require(ctx, x, a.entry.rule, x.input()) {
			return true
		}
	}
	x.call = whole
	return false
}
