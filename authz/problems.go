package authz

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxObjectProblems is how many problems of one object are told.
	MaxObjectProblems = 20
	// MaxPolicyProblems is how many problems of one policy are told: nobody reads
	// more.
	MaxPolicyProblems = 100
	// maxProblemText is the longest message in bytes.
	maxProblemText = 1024
)

// Problems collects problems up to a bound and counts the rest. The first problem
// of each severity is kept whatever the bound is, since a severity decides what is
// in force.
type Problems struct {
	// Most is the bound; zero is [MaxObjectProblems].
	Most int
	// Ref is the object that all problems are in; "" if it is not one.
	Ref string

	list []Problem
	left int      // how many problems are counted only
	of   Severity // the severity of the first of these
}

// Full says whether another problem of a severity is counted only: then its
// message need not be made.
func (p *Problems) Full(of Severity) bool {
	most := p.Most
	if most == 0 {
		most = MaxObjectProblems
	}
	return len(p.list) >= most && slices.ContainsFunc(p.list, func(q Problem) bool { return q.Severity == of })
}

// Add keeps a problem, or counts it.
func (p *Problems) Add(q Problem) {
	if p.Full(q.Severity) {
		p.Count(1, q.Severity)
		return
	}
	q.Message = Cut(q.Message, maxProblemText)
	p.list = append(p.list, q)
}

// Count counts problems that are not kept.
func (p *Problems) Count(n int, of Severity) {
	if p.left == 0 {
		p.of = of
	}
	p.left += n
}

// Told says whether a problem of this field is kept.
func (p *Problems) Told(field string) bool {
	return slices.ContainsFunc(p.list, func(q Problem) bool { return q.Field == field })
}

// Clone returns a collection that goes on by itself.
func (p *Problems) Clone() Problems {
	out := *p
	out.list = slices.Clone(p.list)
	return out
}

// Len is how many problems there are, the counted ones included.
func (p *Problems) Len() int { return len(p.list) + p.left }

// All returns the problems that are kept and, as the last one, how many there are
// beside them.
func (p *Problems) All() []Problem {
	if p.left == 0 {
		return slices.Clip(p.list)
	}
	return append(slices.Clip(p.list), Problem{Severity: p.of, Ref: p.Ref,
		Message: fmt.Sprintf("and %d more problems; only the first %d are told", p.left, len(p.list))})
}

// FirstOf are the first of a list for people, and how many more there are.
func FirstOf(list []string, most int) string {
	if more := len(list) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), more)
	}
	return strings.Join(list, ", ")
}

// Cut is a text of at most so many bytes, and a sign that there is more.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}
