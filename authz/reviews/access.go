package reviews

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
)

// How long an answer is remembered: a right that is taken away lives for so long.
const (
	allowedFor = 5 * time.Second
	deniedFor  = time.Second
)

// Question asks whether somebody may do something.
type Question struct {
	Username, UID string
	Groups        []string
	Extra         map[string][]string
	Resource
}

// Resource is what somebody wants to do, and with what. Name is "" for all objects.
type Resource struct {
	Verb, Group, Resource, Subresource, Namespace, Name string
}

func (c *Cluster) access(ctx context.Context, q authn.Question) (*authn.Answer, error) {
	allowed, err := c.reviewer.ReviewAccess(ctx, q.About.(Question))
	return &authn.Answer{Active: allowed}, err
}

// Allowed says whether the cluster allows it; s asks for SubjectAccessReviews. The
// error is an *authn.Unavailable.
func (s Server) Allowed(ctx context.Context, q Question) (bool, error) {
	answer, err := s.Introspect(ctx, authn.Question{Digest: q.digest(), Fresh: deniedFor, About: q})
	return err == nil && answer.Active, err
}

// digest tells questions apart: every part with its length, every list with its own.
func (q Question) digest() (d [sha256.Size]byte) {
	h := sha256.New()
	count := func(n int) { _ = binary.Write(h, binary.BigEndian, int64(n)) } // a hash takes all
	texts := func(list ...string) {
		count(len(list))
		for _, s := range list {
			count(len(s))
			h.Write([]byte(s))
		}
	}
	texts(q.Username, q.UID, q.Verb, q.Group, q.Resource.Resource, q.Subresource, q.Namespace, q.Name)
	texts(q.Groups...)
	count(len(q.Extra))
	for _, name := range slices.Sorted(maps.Keys(q.Extra)) {
		texts(name)
		texts(q.Extra[name]...)
	}
	h.Sum(d[:0])
	return d
}
