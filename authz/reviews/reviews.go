// Package reviews asks the API server of the cluster about tokens of its
// ServiceAccounts (TokenReview), and whether somebody may do something
// (SubjectAccessReview).
//
// What asks is package introspect: one call however many checks wait for one answer,
// waiters are bounded, and what is no answer is an *authn.Unavailable. At most
// [slots] calls are under way, in turns by namespace, so that the tokens of one tenant
// hold up nobody else's. The API server itself is reached by a [Reviewer], which the
// kernel is handed.
package reviews

import (
	"context"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// slots are the calls at once, one of them for a namespace that has none.
const slots = 8

// waiting are the calls that may wait for a slot.
const waiting = 384

// Reviewer calls the API server. Its errors hold nothing that was received; one wraps
// [ErrForbidden], [ErrUnauthorized] or the context's error if that is the reason.
type Reviewer interface {
	// Issuer is that of the tokens of ServiceAccounts; "" while it is not known. It
	// does not wait.
	Issuer() string
	// Find begins to ask for the issuer, if that has not begun. The channel is closed
	// when it was asked for once, well or not.
	Find() <-chan struct{}
	ReviewToken(ctx context.Context, token string, audiences []string) (Token, error)
	ReviewAccess(ctx context.Context, q Question) (allowed bool, err error)
}

// Why agentauth is refused.
var (
	ErrForbidden    = errors.New("it does not let agentauth ask: the ServiceAccount of agentauth needs the right to create tokenreviews (authentication.k8s.io) and subjectaccessreviews (authorization.k8s.io), which the chart gives with kubernetesReviews: true")
	ErrUnauthorized = errors.New("it does not take the credential of agentauth itself (401)")
)

// Token is what the API server says of a token.
type Token struct {
	Authenticated bool
	Username, UID string
	Groups        []string
	Audiences     []string // those asked for that the token has
	Extra         map[string][]string
}

// Cluster is an API server that is asked.
type Cluster struct {
	reviewer Reviewer
	shared   *introspect.Shared
	turns    *work.Scheduler
	panicked func(any, []byte)
}

// Names of what is asked, in logs and metrics.
const (
	TokenReview         = "TokenReview"
	SubjectAccessReview = "SubjectAccessReview"
)

// New makes a Cluster. panicked, if not nil, is told of panics over answers.
func New(r Reviewer, panicked func(any, []byte)) *Cluster {
	return &Cluster{
		reviewer: r, shared: introspect.NewShared(), panicked: panicked,
		turns: work.New(work.Options{Slots: slots, MaxWaiting: waiting, MaxWaitingPerOwner: waiting}),
	}
}

// OnWait has checks that waited for the API server told of. It is called before the
// first of them.
func (c *Cluster) OnWait(w work.Waited) {
	if c != nil {
		c.shared.Waited = w
	}
}

// NoCluster says that there is no API server, and what that means.
const NoCluster = "no API server is asked here, so what needs one is answered 503: policies with kubernetesToken or authorization.kubernetes are for agentauth serve without --policies"

// Issuer is that of the tokens of ServiceAccounts; "" while it is not known, and
// where there is no API server.
func (c *Cluster) Issuer() string {
	if c == nil {
		return ""
	}
	return c.reviewer.Issuer()
}

// IssuerIf is Issuer for a policy some of whose methods take such tokens, nil for
// any other.
func (c *Cluster) IssuerIf(some bool) authn.ClusterIssuer {
	if !some {
		return nil
	}
	return c.Issuer
}

// Counts are how the calls ended.
func (c *Cluster) Counts() []introspect.Count {
	if c == nil {
		return nil
	}
	return c.shared.Counts()
}

// Server asks for one kind of review, for the policies of a namespace. It works while
// checks wait for it.
type Server struct {
	*introspect.Server
	find func() <-chan struct{}
}

// Server makes a Server. Tokens must have one of the audiences.
func (c *Cluster) Server(review string, audiences []string, tenant func() string) Server {
	if review == SubjectAccessReview {
		return Server{c.server(review, allowedFor, tenant, c.access), func() <-chan struct{} { return ready }}
	}
	ask := func(ctx context.Context, q authn.Question) (*authn.Answer, error) {
		return c.token(ctx, q.Token, audiences)
	}
	return Server{c.server(review, 0, tenant, ask), c.reviewer.Find}
}

// Start has the issuer of the cluster's tokens found where it is needed.
func (s Server) Start() { s.find() }

// Ready is closed once that was tried.
func (s Server) Ready() <-chan struct{} { return s.find() }

var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (c *Cluster) token(ctx context.Context, token string, audiences []string) (*authn.Answer, error) {
	t, err := c.reviewer.ReviewToken(ctx, token, audiences)
	if err != nil || !t.Authenticated {
		return &authn.Answer{}, err
	}
	return &authn.Answer{Active: true, Claims: t.claims()}, nil
}

// claims are the answer as [authn.KubernetesToken] reads it.
func (t Token) claims() map[string]any {
	extra := make(map[string]any, len(t.Extra))
	for name, values := range t.Extra {
		extra[name] = list(values)
	}
	return map[string]any{"username": t.Username, "uid": t.UID, "groups": list(t.Groups), "audiences": list(t.Audiences), "extra": extra}
}

func list(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// asking asks when it is the tenant's turn.
type asking func(context.Context, authn.Question) (*authn.Answer, error)

func (c *Cluster) server(name string, activeFor time.Duration, tenant func() string, ask asking) *introspect.Server {
	return introspect.New(introspect.Config{
		Endpoint: name, Name: "the API server (" + name + ")", Tenant: tenant, Shared: c.shared, Panicked: c.panicked, ActiveFor: activeFor,
		Ask: func(ctx context.Context, tenant string, q authn.Question) (*authn.Answer, introspect.Outcome, error) {
			end, err := c.turns.Turn(ctx, work.Task{Owner: work.Owner{Namespace: tenant}, Kind: name})
			if err != nil {
				return outcome(nil, err)
			}
			defer end()
			return outcome(ask(ctx, q))
		},
	})
}

// outcome is how a call ended.
func outcome(a *authn.Answer, err error) (*authn.Answer, introspect.Outcome, error) {
	switch {
	case errors.Is(err, work.ErrOverloaded):
		return nil, introspect.Crowded, errors.New("no turn for a call in the time that checks have")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, introspect.Late, errors.New("no answer in the time that checks have")
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrUnauthorized):
		return nil, introspect.Refused, err
	case err != nil:
		return nil, introspect.Failed, err
	case a.Active:
		return a, introspect.Active, nil
	}
	return a, introspect.Inactive, nil
}
