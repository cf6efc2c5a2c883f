package expr

import (
	"cmp"
	"maps"
	"slices"
)

// remains are what evaluations need of an [inspection]. There may be a hundred
// thousand expressions: the tree of one and its maps take as much as its program.
type remains struct {
	loops  bool
	names  []string // in order
	places []start  // by id
}

// start is where a node begins.
type start struct {
	id           int32
	line, column uint16 // an expression has at most MaxLength bytes
}

func (i *inspection) remains() remains {
	out := remains{loops: i.loops, names: slices.Sorted(maps.Keys(i.names)), places: make([]start, 0, len(i.info.OffsetRanges()))}
	for id := range i.info.OffsetRanges() {
		l := i.info.GetStartLocation(id)
		out.places = append(out.places, start{int32(id), uint16(l.Line()), uint16(l.Column())})
	}
	slices.SortFunc(out.places, func(a, b start) int { return cmp.Compare(a.id, b.id) })
	out.names = slices.Clip(out.names)
	return out
}

// has says whether a name or text is written in the expression.
func (r *remains) has(name string) bool {
	_, found := slices.BinarySearch(r.names, name)
	return found
}

// at makes an error with line and column of a node.
func (r *remains) at(id int64, message string) error {
	i, found := slices.BinarySearchFunc(r.places, id, func(p start, id int64) int { return cmp.Compare(int64(p.id), id) })
	if !found {
		return errorAt(0, 0, message)
	}
	return errorAt(int(r.places[i].line), int(r.places[i].column), message)
}
