package objects

import (
	"maps"
	"slices"
)

// shelf is the objects of one kind. It never changes; the next one shares the
// namespaces in which nothing changed.
type shelf struct {
	count      int
	namespaces map[string]*namespace
}

// namespace is the objects of one kind in a namespace.
type namespace struct {
	byName map[string]*stored
	keys   *labelled // of API keys
}

// change is what is new, in another state or gone in a namespace.
type change struct{ put, gone []*stored }

func (s *shelf) find(in, name string) *stored {
	if s == nil || s.namespaces[in] == nil {
		return nil
	}
	return s.namespaces[in].byName[name]
}

func (s *shelf) next(kind string, list []*Object) *shelf {
	if s == nil {
		s = &shelf{}
	}
	changes, there, twice := s.compare(kind, list)
	if twice && s.count > 0 { // the order decides
		return (*shelf)(nil).next(kind, list)
	}
	if there < s.count {
		s.missing(list, changes)
	}
	if len(changes) == 0 {
		return s
	}
	next := &shelf{namespaces: maps.Clone(s.namespaces), count: s.count}
	if next.namespaces == nil {
		next.namespaces = make(map[string]*namespace, len(changes))
	}
	for in, c := range changes {
		was := s.namespaces[in]
		is := was.with(c)
		next.count += len(is.byName) - was.len()
		if next.namespaces[in] = is; len(is.byName) == 0 {
			delete(next.namespaces, in)
		}
	}
	return next
}

// compare finds what is new or in another state, how many of the objects are on
// the shelf by name, and whether a name occurs twice.
func (s *shelf) compare(kind string, list []*Object) (changes map[string]*change, there int, twice bool) {
	changes = map[string]*change{}
	names, replaced := map[Key]bool{}, map[*Object]bool{}
	for _, o := range list {
		was := s.find(o.Namespace, o.Name)
		if was != nil {
			there++
			old := was.object.Value()
			if old == o {
				continue
			}
			replaced[old] = true
		}
		c, key := changeOf(changes, o.Namespace), Key{kind, o.Namespace, o.Name}
		c.put, twice = append(c.put, newStored(kind, o)), twice || names[key]
		names[key] = true
	}
	if len(replaced) > 0 && !twice {
		twice = slices.ContainsFunc(list, func(o *Object) bool { return replaced[o] })
	}
	return changes, there, twice
}

// missing finds what is gone.
func (s *shelf) missing(list []*Object, changes map[string]*change) {
	there := make(map[*stored]bool, s.count)
	for _, o := range list {
		there[s.find(o.Namespace, o.Name)] = true
	}
	for in, n := range s.namespaces {
		for _, was := range n.byName {
			if !there[was] {
				c := changeOf(changes, in)
				c.gone = append(c.gone, was)
			}
		}
	}
}

func changeOf[K comparable](changes map[K]*change, in K) *change {
	c := changes[in]
	if c == nil {
		c = &change{}
		changes[in] = c
	}
	return c
}

func (n *namespace) len() int {
	if n == nil {
		return 0
	}
	return len(n.byName)
}

func (n *namespace) with(c *change) *namespace {
	next := &namespace{}
	if n != nil {
		next.byName, next.keys = maps.Clone(n.byName), n.keys
	} else {
		next.byName = make(map[string]*stored, len(c.put))
	}
	keys := &change{}
	for _, s := range c.gone {
		delete(next.byName, s.name)
		keys.gone = appendKeys(keys.gone, s)
	}
	for _, s := range c.put {
		keys.gone, keys.put = appendKeys(keys.gone, next.byName[s.name]), appendKeys(keys.put, s)
		next.byName[s.name] = s
	}
	keys.put = slices.DeleteFunc(keys.put, func(s *stored) bool { return next.byName[s.name] != s })
	if len(keys.gone)+len(keys.put) > 0 {
		next.keys = next.keys.next(keys)
	}
	return next
}

func appendKeys(list []*stored, s *stored) []*stored {
	if s == nil || !s.isAPIKey() {
		return list
	}
	return append(list, s)
}
