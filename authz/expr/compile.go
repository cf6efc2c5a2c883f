package expr

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
	"weak"

	"cel.dev/cel-go/cel"

	"github.com/agentauth-dev/agentauth/authz/expr/lint"
)

// Program is a compiled expression. It may be used by several goroutines. The
// zero value, and nil, fail to evaluate.
type Program struct {
	direct direct
	// full is the evaluation by CEL; nil where it is made when it is needed, by one.
	full   atomic.Pointer[full]
	making sync.Mutex
	// src is what a trace shows; see reads.go and shown.go.
	src string
	// findings are what a policy is warned of; nil: nothing.
	findings *lint.Findings
	cost     uint32 // at most MaxCost
	kind     Kind
	// query says that an evaluation may read the query, mcp that it reads the call of a
	// server of MCP, and arguments that it may read those of the call.
	query, mcp, arguments bool
}

// Cost is the estimated cost of the worst evaluation, on a request and claims as
// long as their limits: at most [MaxCost] units of at most about 100 ns. The
// estimate does not know how deep the lists in claims are, and takes the parts of
// split() and the entries of join() for short ones: an evaluation can cost more,
// and ends at MaxCost and one call. Cost is 0 for the zero value, and nil.
func (p *Program) Cost() uint64 {
	if p == nil {
		return 0
	}
	return uint64(p.cost)
}

// DirectCost is the cost of a direct evaluation on an input at most. It counts what
// [Program.Cost] does not know: each look-up of a parameter goes over the whole query.
func (p *Program) DirectCost(in *Input) uint64 {
	if p == nil || !p.query || in == nil || in.Request == nil {
		return p.Cost()
	}
	return uint64(p.cost) + uint64(len(in.Request.RawQuery))
}

// interruptEvery is the number of loop steps between two checks of the context.
const interruptEvery = 100

// Compile checks an expression: at most [MaxLength] bytes, of the right type,
// and estimated to cost at most [MaxCost]. Errors are one line and begin with
// line:column, both from 1.
func Compile(kind Kind, src string) (*Program, error) {
	p, f, err := compile(kind, src)
	if err == nil && (!p.direct.planned() || len(src) > maxMadeLater) {
		p.full.Store(f)
	}
	return p, err
}

func compile(kind Kind, src string) (*Program, *full, error) {
	switch {
	case results[kind] == nil && kind != JSON && kind != Actor:
		return nil, nil, fmt.Errorf("expected a kind of expression, got %d", kind)
	case len(src) > MaxLength:
		return nil, nil, errorAt(1, 0, fmt.Sprintf("expected an expression of at most %d bytes, got %d", MaxLength, len(src)))
	case strings.TrimSpace(src) == "":
		return nil, nil, errorAt(1, 0, fmt.Sprintf("expected %s, got an empty expression", kind.expected()))
	case !utf8.ValidString(src):
		return nil, nil, errorAt(1, 0, "expected an expression in UTF-8")
	}
	env, err := environment(kind)
	if err != nil {
		return nil, nil, err
	}
	checked, err := check(kind, env, src)
	if err != nil {
		return nil, nil, err
	}
	contents := inspect(checked.NativeRep())
	if contents.err != nil {
		return nil, nil, contents.err
	}
	root := checked.NativeRep().Expr().ID()
	if t := checked.OutputType(); !kind.yields(t) {
		return nil, nil, contents.at(root, fmt.Sprintf("expected %s, got %s", kind.expected(), cel.FormatCELType(t)))
	}
	e := estimator{contents}
	worst, err := e.bound(env, checked)
	if err != nil {
		return nil, nil, contents.at(root, err.Error())
	}
	program, err := plan(env, checked, e)
	if err != nil {
		return nil, nil, contents.at(root, err.Error())
	}
	direct := contents.plan(kind, checked.NativeRep().Expr())
	needed := contents.remains()
	contents.lists, contents.types, contents.info, contents.names = nil, nil, nil, nil // the program's options hold contents
	p := &Program{kind: kind, direct: direct, query: needed.has("query"), mcp: contents.mcp, arguments: needed.has("arguments"), src: src}
	p.cost = uint32(worst) // #nosec G115 -- at most MaxCost
	if found := lint.Of(checked.NativeRep()); !found.None() {
		p.findings = &found
	}
	return p, &full{program, needed, contents.loops || contents.selects > maxUncachedSelects}, nil
}

// check makes the tree of an expression, with the type of each node.
func check(kind Kind, env *cel.Env, src string) (*cel.Ast, error) {
	parsed, issues := env.Parse(src)
	if err := firstOf(kind, src, issues); err != nil {
		return nil, err
	}
	askPresence(parsed.NativeRep())
	if err := boundTypes(parsed.NativeRep(), env.Functions()); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	return checked, firstOf(kind, src, issues)
}

func plan(env *cel.Env, checked *cel.Ast, e estimator) (cel.Program, error) {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), e.regexOption()}
	if e.countCost {
		options = append(options, append(e.costOptions(), guardOption())...)
	}
	if e.loops {
		options = append(options, cel.InterruptCheckFrequency(interruptEvery))
	}
	return env.Program(checked, options...)
}

// Memo compiles equal expressions once, for as long as somebody holds the
// program: a Memo does not keep programs alive. The zero value is ready for
// use, also by several goroutines.
type Memo struct {
	mu       sync.Mutex
	programs map[memoKey]weak.Pointer[Program]
	// made and calls are how many programs were made, and how often Sweep was called,
	// since it swept.
	made, calls int
}

// A Sweep of many programs takes longer than most changes do: it waits until it is
// worth while, or was called so often.
const (
	sweptAlways = 1024
	sweptAfter  = 64
)

type memoKey struct {
	kind Kind
	src  string
}

// NewMemo makes an empty memo.
func NewMemo() *Memo { return &Memo{} }

// Compile is [Compile], or the program it made before.
func (m *Memo) Compile(kind Kind, src string) (*Program, error) {
	key := memoKey{kind, src}
	if p := m.get(key); p != nil {
		return p, nil
	}
	p, err := Compile(kind, src)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.programs[key].Value(); other != nil {
		return other, nil
	}
	if m.programs == nil {
		m.programs = map[memoKey]weak.Pointer[Program]{}
	}
	m.programs[key] = weak.Make(p)
	m.made++
	return p, nil
}

func (m *Memo) get(key memoKey) *Program {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.programs[key].Value()
}

// Sweep forgets expressions whose program nobody holds any more, sooner or later.
func (m *Memo) Sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls++; len(m.programs) > sweptAlways && m.calls < sweptAfter && 8*m.made < len(m.programs) {
		return
	}
	m.made, m.calls = 0, 0
	for key, p := range m.programs {
		if p.Value() == nil {
			delete(m.programs, key)
		}
	}
}
