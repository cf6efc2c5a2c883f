package expr

import "cel.dev/cel-go/cel"

// full is what CEL evaluates an expression by.
type full struct {
	program  cel.Program
	contents remains
	// cached says that an evaluation can read the same value often.
	cached bool
}

// maxMadeLater is how long an expression is at most whose evaluation by CEL is made when
// it is needed: to make it takes a millisecond or a few then. There may be a hundred
// thousand expressions, of which few are ever evaluated otherwise than directly.
const maxMadeLater = 512

// makingCost is the cost of making an evaluation by CEL, for each byte of the text.
const makingCost = 100

// MakingCost is the cost of what the next evaluation that is not direct makes first.
func (p *Program) MakingCost() uint64 {
	if p == nil || p.full.Load() != nil {
		return 0
	}
	return makingCost * uint64(len(p.src))
}

// fully is the evaluation by CEL, made if need be. A text that was compiled before
// compiles again; if it did not, nothing would be evaluated.
func (p *Program) fully() (*full, error) {
	if f := p.full.Load(); f != nil {
		return f, nil
	}
	p.making.Lock()
	defer p.making.Unlock()
	if f := p.full.Load(); f != nil {
		return f, nil
	}
	_, f, err := compile(p.kind, p.src)
	if err != nil {
		return nil, err
	}
	p.full.Store(f)
	return f, nil
}
