package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

// Explain says who may have decisions explained at a door. The zero value is nobody.
//
// The service agentauth.v1.Explain has one method, Explain. It takes the CheckRequest of
// a proxy and answers a google.protobuf.StringValue, the text of the [Explainer].
type Explain struct {
	// Explainer explains; required where anybody may ask for it.
	Explainer Explainer
	// Names are the DNS and URI subject alternative names of which a client certificate
	// must carry one, compared as a whole and with case. They need Listen.ClientCA. A
	// client that Listen.ClientNames does not name may have decisions explained only.
	Names []string
	// OnLoopback lets every process that reaches a loopback address have decisions
	// explained, on a door without client certificates.
	OnLoopback bool
}

// Explainer decides a request as the [Decider] does, leaves nothing behind, and tells
// each step in a text. by is who asks: the name of a client certificate.
type Explainer interface {
	Explain(ctx context.Context, raw authz.Raw, by string) (string, error)
}

const (
	explainService = "agentauth.v1.Explain"
	explainMethod  = "Explain"
	// maxExplained is how many decisions are explained at once.
	maxExplained = 2
	// byLoopback is who asks on a loopback address.
	byLoopback = "loopback"
)

// complete lets the names of Explain in at the door, and finds what is wrong with them.
func (e *Explain) complete(l *listen.Config) error {
	usage := func(problem string) error { return &listen.UsageError{Problem: problem} }
	switch {
	case !e.OnLoopback && e.Names == nil:
		return nil
	case e.Explainer == nil:
		return usage("a door that explains needs an Explainer")
	case e.OnLoopback && l.ClientCA != "":
		return usage("--explain-on-loopback is for a door without client certificates: with --client-ca, name the client as --explain-client-name")
	case e.Names == nil:
		return nil
	case len(e.Names) == 0, slices.Contains(e.Names, ""):
		return usage("--explain-client-name is empty: expected a DNS or URI SAN")
	case slices.Contains(e.Names, "*"):
		return usage("--explain-client-name '*': expected names, one by one: who has decisions explained learns what every policy requires")
	case l.ClientCA == "":
		return usage("--explain-client-name needs --client-ca (with --tls-cert, --tls-key and --client-name): a name counts on a verified client certificate only; a door on loopback has --explain-on-loopback")
	case len(l.ClientNames) > 0: // else Listen says what is missing
		l.ClientNames = slices.Concat(l.ClientNames, e.Names)
	}
	return nil
}

// explainer is the service. Without anybody who may ask, it refuses everybody.
type explainer struct {
	Explain
	clock     func() time.Time
	onPanic   func(value any, stack []byte)
	onRefused func(listen.Refusal)
	turns     chan struct{}
}

func newExplainer(c *Config) *explainer {
	return &explainer{Explain: c.Explain, clock: c.Clock, onPanic: c.OnPanic, onRefused: c.OnRefused, turns: make(chan struct{}, maxExplained)}
}

// admit decides on the address that was bound.
func (e *Explain) admit(bound net.Addr) error {
	if tcp, ok := bound.(*net.TCPAddr); e.OnLoopback && (!ok || !tcp.IP.IsLoopback()) {
		return &listen.UsageError{Problem: fmt.Sprintf("--explain-on-loopback: expected a loopback --grpc-address, got %s, where others than processes of this host could ask", bound)}
	}
	return nil
}

// service is registered on each door, so that who asks in vain learns why.
func (e *explainer) service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: explainService,
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{{StreamName: explainMethod, Handler: e.serve, ServerStreams: true}},
	}
}

// serve reads nothing of a request before it knows who asks.
func (e *explainer) serve(_ any, stream grpc.ServerStream) error {
	by, err := e.asks(stream.Context())
	if err != nil {
		return err
	}
	q, _ := checks.Get().(*check)
	if err := stream.RecvMsg(q); err != nil {
		return err
	}
	defer q.release()
	select {
	case e.turns <- struct{}{}:
		defer func() { <-e.turns }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d decisions are being explained, which is as many as may be at once; ask again", maxExplained)
	}
	text, err := e.explain(stream.Context(), q, by)
	if err != nil {
		return status.Error(codes.Internal, "a defect of agentauth: the decision cannot be explained; see its log")
	}
	return stream.SendMsg(wrapperspb.String(text))
}

func (e *explainer) explain(ctx context.Context, q *check, by string) (text string, err error) {
	defer func() {
		if v := recover(); v != nil {
			e.onPanic(v, debug.Stack())
			err = errors.New("explaining it panicked")
		}
	}()
	q.raw.Time = e.clock()
	return e.Explainer.Explain(ctx, q.raw, by)
}

// asks says who asks, or why they may not.
func (e *explainer) asks(ctx context.Context) (by string, err error) {
	switch {
	case e.Names == nil && !e.OnLoopback:
		return "", status.Error(codes.FailedPrecondition, "this server explains no decisions: it is started with --explain-client-name NAME for a client certificate of its --client-ca, or on a loopback address with --explain-on-loopback")
	case e.OnLoopback:
		return byLoopback, nil
	}
	c, ok := clientOf(ctx)
	if !ok || c.explains == "" {
		e.refused(ctx, listen.Refusal{Cause: listen.CauseName, Problem: fmt.Sprintf("it asked for an explanation, and --explain-client-name has none of the names of its certificate: %s", c.names)})
		return "", status.Errorf(codes.PermissionDenied, "the client certificate has %s, which --explain-client-name of the server does not name", c.names)
	}
	return c.explains, nil
}

// mayCheck says whether a client may ask what a proxy asks.
func (e *explainer) mayCheck(ctx context.Context) bool {
	if len(e.Names) == 0 {
		return true
	}
	c, ok := clientOf(ctx)
	if ok && c.checks {
		return true
	}
	e.refused(ctx, listen.Refusal{Cause: listen.CauseName, Problem: fmt.Sprintf("it asked for a check, and --client-name has none of the names of its certificate: %s; --explain-client-name lets it have decisions explained only", c.names)})
	return false
}

func (e *explainer) refused(ctx context.Context, r listen.Refusal) {
	if p, ok := peer.FromContext(ctx); ok {
		r.Peer = hostOf(p.Addr)
	}
	e.onRefused(r)
}

// clients says who clients are, and of client certificates what their clients may do
// where not all of them may ask for checks.
func (c *Config) clients(checks []string, proxy func(*tls.ConnectionState) string) func(*tls.ConnectionState) client {
	return func(state *tls.ConnectionState) client {
		out := client{proxy: proxy(state)}
		if len(c.Explain.Names) == 0 || state == nil || len(state.PeerCertificates) == 0 {
			return out
		}
		cert := state.PeerCertificates[0]
		out.names, out.checks = listen.Names(cert), listen.Named(cert, checks)
		for _, name := range c.Explain.Names {
			if listen.Named(cert, []string{name}) {
				out.explains = name
				break
			}
		}
		return out
	}
}
