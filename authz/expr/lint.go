package expr

import "github.com/agentauth-dev/agentauth/authz/expr/lint"

// Methods are the request methods that a warning may name.
func Methods() []string { return lint.HTTPMethods() }

// Warnings are what the expression probably does not mean, at most 8.
func (p *Program) Warnings() []lint.Warning {
	if p == nil || p.findings == nil {
		return nil
	}
	return p.findings.Warnings
}

// MethodNames are the names of methods in the expression, at most 8.
func (p *Program) MethodNames() []lint.MethodName {
	if p == nil || p.findings == nil {
		return nil
	}
	return p.findings.Names
}

// NeverFor says whether a condition is false for every request with the method.
// It says no where it does not know.
func (p *Program) NeverFor(method string) bool {
	return p != nil && p.findings != nil && p.findings.Methods.NeverFor(method)
}

// NamesMethod says whether a condition compares the method of the request with
// this one.
func (p *Program) NamesMethod(method string) bool {
	return p != nil && p.findings != nil && p.findings.Methods.Named(method)
}
