package revoke

import (
	"sync/atomic"
	"time"
)

// InForce holds the List by which is decided. The zero value has none.
type InForce struct{ current atomic.Pointer[List] }

// Put puts a List in force, at once.
func (f *InForce) Put(l *List) {
	if l != nil && len(l.parts) == 0 && l.also == nil {
		l = nil // nothing is looked for
	}
	f.current.Store(l)
}

// List is what is in force.
func (f *InForce) List() *List { return f.current.Load() }

// Any says whether there are revocations. A nil InForce has none.
func (f *InForce) Any() bool { return f != nil && f.current.Load() != nil }

// Hit is the revocation that a credential falls under which is used for a policy of a
// namespace; nil if there is none.
func (f *InForce) Hit(namespace string, c *Credential, now time.Time) *Entry {
	if f == nil {
		return nil
	}
	l := f.current.Load()
	if l == nil {
		return nil
	}
	var n names
	n.of(c)
	for ; l != nil; l = l.also {
		for _, scope := range [...]string{"", namespace} {
			if p := l.parts[scope]; p != nil {
				if e := p.table.hit(&n, now); e != nil {
					return e
				}
			}
			if namespace == "" {
				break
			}
		}
	}
	return nil
}
