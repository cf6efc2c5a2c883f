package expr

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

// Input holds the variables of expressions of kind [Bool] and [String]. An
// evaluation does not change it.
type Input struct {
	Request *authz.Request
	// Identity is nil if there is none; reading it is an error then.
	Identity *authz.Identity
	// Identities are those of all methods that succeeded, each with the name of its
	// method. An expression reads them by it.
	Identities []*authz.Identity
	// MCP is the call of a server of MCP; reading it is an error if it is nil.
	MCP *mcp.Call

	cache *cache // of one evaluation
}

// Bool evaluates a condition. It is true only if there is no error.
func (p *Program) Bool(ctx context.Context, in *Input) (bool, error) {
	if err := p.canRead(ctx, Bool, in); err != nil {
		return false, err
	}
	if holds, ok := p.DirectBool(in); ok {
		return holds, nil
	}
	v, err := p.evalInput(ctx, in)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, p.unexpected(v)
	}
	return bool(b), nil
}

// String evaluates the value of a header. Null, optional.none() and "" are not
// present; another value that is not a string is an error.
func (p *Program) String(ctx context.Context, in *Input) (value string, present bool, err error) {
	if err := p.canRead(ctx, String, in); err != nil {
		return "", false, err
	}
	if s, ok := p.DirectString(in); ok {
		return s, s != "", nil
	}
	v, err := p.evalInput(ctx, in)
	if err != nil {
		return "", false, err
	}
	switch v := unwrap(v).(type) {
	case types.String:
		return string(v), v != "", nil
	case types.Null:
		return "", false, nil
	default:
		return "", false, p.unexpected(v)
	}
}

// ClaimString maps claims to a subject, by an expression of kind [Subject]: a
// string as it is, an int in decimal, null and optional.none() to "". A value of
// another type is an error.
func (p *Program) ClaimString(ctx context.Context, claims map[string]any) (string, error) {
	v, err := p.evalClaims(ctx, Subject, claims)
	if err != nil {
		return "", err
	}
	if v = unwrap(v); v == types.NullValue {
		return "", nil
	}
	return p.claimText(v)
}

// ClaimStrings maps claims to texts: a list of strings and ints, or one of
// them, or nothing. A string is one text, spaces and all.
func (p *Program) ClaimStrings(ctx context.Context, claims map[string]any) ([]string, error) {
	return p.claimTexts(ctx, claims, func(s string) []string { return []string{s} })
}

// ClaimScopes is ClaimStrings, but a string is a list separated by spaces
// (RFC 6749 3.3).
func (p *Program) ClaimScopes(ctx context.Context, claims map[string]any) ([]string, error) {
	return p.claimTexts(ctx, claims, strings.Fields)
}

func (p *Program) claimTexts(ctx context.Context, claims map[string]any, one func(string) []string) ([]string, error) {
	v, err := p.evalClaims(ctx, Claim, claims)
	if err != nil {
		return nil, err
	}
	v = unwrap(v)
	if v == types.NullValue {
		return nil, nil
	}
	list, ok := v.(traits.Lister)
	if !ok {
		s, err := p.claimText(v)
		if err != nil {
			return nil, err
		}
		return one(s), nil
	}
	var out []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		s, err := p.claimText(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *Program) claimText(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	}
	return "", p.unexpected(v)
}

// unwrap returns the value of an optional, null if it has none.
func unwrap(v ref.Val) ref.Val {
	o, ok := v.(*types.Optional)
	switch {
	case !ok:
		return v
	case o.HasValue():
		return o.GetValue()
	}
	return types.NullValue
}

// canEvaluate returns an error if there is no program of a kind, or no time.
func (p *Program) canEvaluate(ctx context.Context, as Kind) error {
	if p == nil || p.kind != as {
		return errors.New("there is no such expression to evaluate")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the expression was not evaluated: %w", err)
	}
	return nil
}

func (p *Program) canRead(ctx context.Context, as Kind, in *Input) error {
	if in == nil || in.Request == nil {
		return errors.New("there is no request to evaluate the expression on")
	}
	return p.canEvaluate(ctx, as)
}

func (p *Program) evalInput(ctx context.Context, in *Input) (ref.Val, error) {
	f, err := p.fully()
	if err != nil {
		return nil, err
	}
	if f.cached {
		in = withCache(in)
	}
	return f.eval(ctx, (*activation)(in))
}

func (p *Program) evalClaims(ctx context.Context, as Kind, claims map[string]any) (ref.Val, error) {
	if err := p.canEvaluate(ctx, as); err != nil {
		return nil, err
	}
	f, err := p.fully()
	if err != nil {
		return nil, err
	}
	return f.eval(ctx, claimsActivation(claims))
}

func (f *full) eval(ctx context.Context, vars cel.Activation) (ref.Val, error) {
	var v ref.Val
	var err error
	if f.contents.loops {
		v, _, err = f.program.ContextEval(ctx, vars)
	} else {
		v, _, err = f.program.Eval(vars)
	}
	if err != nil {
		return nil, f.failed(ctx, err)
	}
	return v, nil
}

func (p *Program) unexpected(v ref.Val) error {
	return fmt.Errorf("expected %s, got %s", p.kind.expected(), v.Type().TypeName())
}

// activation resolves the variables of an Input. It is the Input itself, so that
// an evaluation allocates nothing for it.
type activation Input

func (*activation) Parent() cel.Activation { return nil }

func (a *activation) ResolveName(name string) (any, bool) {
	if isWhole(name) && a.Request.Recorded.Ask(name) {
		return types.WrapErr(unrecorded(name)), true
	}
	switch name {
	case "request":
		return (*request)(a), true
	case "identity":
		if a.Identity == nil {
			return types.WrapErr(failure("there is no identity")), true
		}
		return (*identity)(a), true
	case "identities":
		return a.identities(), true
	case "context":
		return a.Request.ContextExtensions, true
	case mcpName:
		if a.MCP == nil {
			return types.WrapErr(failure("there is no call of MCP")), true
		}
		return (*call)(a), true
	case "metadata":
		m, err := authz.ReadMetadata(a.Request.Metadata)
		if err != nil {
			return types.WrapErr(failure("metadata cannot be read")), true
		}
		return m, true
	}
	return nil, false
}

type claimsActivation map[string]any

func (claimsActivation) Parent() cel.Activation { return nil }

func (c claimsActivation) ResolveName(name string) (any, bool) {
	return map[string]any(c), name == "claims"
}
