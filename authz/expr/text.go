package expr

// Text is the expression as it was written: programs of one kind with equal texts
// do the same. It is "" for no program.
func (p *Program) Text() string {
	if p == nil {
		return ""
	}
	return p.src
}
