package manifest

import (
	"path/filepath"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// Remains are the Secrets and ConfigMaps of files that have a fatal problem. No
// Input is made of them. They tell which credentials of an older Tree are gone,
// and must not be accepted any more, although the rest of the files is not in
// force.
type Remains struct {
	objects  map[objects.Key]*engine.Object
	policies map[objects.Key]v1alpha1.Mode
	revoked  []revoke.ConfigMap
	unread   map[string]bool
	dubious  map[objects.Key]bool
}

// Unread are what remains of files that were seen and not read; nil if there are
// none.
func Unread(paths []string) *Remains {
	if len(paths) == 0 {
		return nil
	}
	r := &Remains{unread: map[string]bool{}}
	for _, path := range paths {
		r.unread[path] = true
	}
	return r
}

// Remains are those of a tree that was read but is refused for another reason;
// nil if it has no objects: a directory that is empty, since its volume is not
// mounted, revokes nothing.
func (t *Tree) Remains() *Remains {
	if len(t.objects) == 0 {
		return nil
	}
	return t.remains()
}

func (t *Tree) remains() *Remains {
	left := &Remains{objects: t.Input.ByKey(), policies: map[objects.Key]v1alpha1.Mode{}, revoked: t.Input.Revocations}
	for _, p := range t.Input.Policies {
		left.policies[keyOf(p)] = p.Spec.Mode
	}
	return left
}

func (r *reader) remains() *Remains {
	if !r.text {
		return nil
	}
	left := r.tree.remains()
	left.unread, left.dubious = r.unread, r.dubious
	return left
}

// Revocations are the ConfigMaps of revocations that could be read.
func (r *Remains) Revocations() []revoke.ConfigMap { return r.revoked }

// Find returns what remains of an object of an older tree: nil if it is gone, the
// object itself where nobody knows, since its file or its document cannot be read.
func (r *Remains) Find(older *Tree, kind string, o *engine.Object) *engine.Object {
	key := objects.KeyOf(kind, o)
	if now := r.objects[key]; now != nil {
		return now
	}
	if r.isDoubtful(older, key) {
		return o
	}
	return nil
}

// Has says whether a policy of an older tree is there, or nobody knows. One that was
// shadowed and is no more is another: nobody is to be let through by it.
func (r *Remains) Has(older *Tree, p *v1alpha1.AgentAuthPolicy) bool {
	mode, there := r.policies[keyOf(p)]
	return there && (p.Spec.Mode != v1alpha1.ModeShadow || mode == p.Spec.Mode) || r.isDoubtful(older, keyOf(p))
}

func keyOf(p *v1alpha1.AgentAuthPolicy) objects.Key {
	return objects.Key{Kind: v1alpha1.Kind, Namespace: p.Namespace, Name: p.Name}
}

// isDoubtful reports whether nobody knows that an object of an older tree is gone.
func (r *Remains) isDoubtful(older *Tree, key objects.Key) bool {
	return r.dubious[objects.Key{Namespace: key.Namespace, Name: key.Name}] || r.isUnread(older.objects[key].file)
}

// isUnread reports whether a file, or a directory that it is in, was not read.
func (r *Remains) isUnread(file string) bool {
	if r.unread[file] {
		return true
	}
	for path := range r.unread {
		if rel, err := filepath.Rel(path, file); err == nil && filepath.IsLocal(rel) && !strings.HasPrefix(rel, "..") {
			return true
		}
	}
	return false
}
