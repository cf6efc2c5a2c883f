package objects

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"weak"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// Object is a Secret or a ConfigMap. It holds digests instead of API keys
// ([apikey.Digest]): no source keeps the keys. It never changes.
type Object struct {
	Namespace, Name     string
	Labels, Annotations map[string]string
	// Type is the type of a Secret.
	Type string
	Data map[string][]byte
	// Omitted says why the source holds no Data of the object, and what to do; ""
	// is the normal case.
	Omitted string
}

// Use is the use that the owner labelled the object for; "" if there is none.
func (o *Object) Use() string { return o.Labels[v1alpha1.LabelUse] }

// BasicAuth is the type of a Secret that holds one user name and one password.
const BasicAuth = "kubernetes.io/basic-auth"

// The kinds of objects.
const (
	Secret    = "Secret"
	ConfigMap = "ConfigMap"
)

// Key names an object.
type Key struct{ Kind, Namespace, Name string }

// KeyOf is the key of an object.
func KeyOf(kind string, o *Object) Key { return Key{kind, o.Namespace, o.Name} }

func (k Key) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

// Fingerprint stands for an object as it was: equal fingerprints are equal
// contents. It is what outlives a compile, so it is keyed: who reads the memory
// cannot try passwords against it. The zero Fingerprint is no object.
type Fingerprint = keyed.Digest

func fingerprintOf(kind string, o *Object) Fingerprint {
	parts := [][]byte{[]byte(o.Namespace), []byte(o.Name), []byte(o.Type), []byte(o.Omitted)}
	parts = appendMap(parts, o.Labels)
	parts = appendMap(parts, o.Annotations)
	return keyed.Of(kind, appendMap(parts, o.Data)...)
}

func appendMap[V string | []byte](parts [][]byte, m map[string]V) [][]byte {
	parts = append(parts, binary.AppendUvarint(nil, uint64(len(m))))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, []byte(k), []byte(m[k]))
	}
	return parts
}

// stored is what a View holds of an object. It does not keep the content in
// memory.
type stored struct {
	kind, namespace, name string
	labels                map[string]string
	object                weak.Pointer[Object]

	once        sync.Once
	fingerprint Fingerprint
}

func newStored(kind string, o *Object) *stored {
	return &stored{kind: kind, namespace: o.Namespace, name: o.Name, labels: o.Labels, object: weak.Make(o)}
}

// print is the object's fingerprint. Of an object that no policy refers to nobody
// asks for it.
func (s *stored) print() Fingerprint {
	s.once.Do(func() {
		if o := s.object.Value(); o != nil {
			s.fingerprint = fingerprintOf(s.kind, o)
		}
	})
	return s.fingerprint
}

func (s *stored) isAPIKey() bool {
	return s.kind == Secret && s.labels[v1alpha1.LabelUse] == v1alpha1.UseAPIKey
}

func (s *stored) same(other *stored) bool { return s == other || s.print() == other.print() }
