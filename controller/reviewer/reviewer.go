// Package reviewer asks the API server of a cluster for reviews, and who issues the
// tokens of its ServiceAccounts.
package reviewer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/agentauth-dev/agentauth/authz/reviews"
)

const (
	// retry is the time between two tries to find the issuer, again that between
	// two looks at one that is known: an API server can get another one.
	retry = 2 * time.Second
	again = 5 * time.Minute
	// patience is how long a try takes at most.
	patience = 5 * time.Second
)

// Reviewer is a [reviews.Reviewer] of an API server.
type Reviewer struct {
	tokens, access rest.Interface
	log            *slog.Logger

	issuer atomic.Pointer[string]
	begin  sync.Once
	tried  chan struct{}
	ctx    context.Context
	end    context.CancelFunc
}

var _ reviews.Reviewer = (*Reviewer)(nil)

// New connects nothing yet. Close the Reviewer.
func New(config *rest.Config, log *slog.Logger) (*Reviewer, error) {
	rc := rest.CopyConfig(config)
	rc.QPS = -1 // package reviews bounds the calls
	connections, err := rest.HTTPClientFor(rc)
	if err != nil {
		return nil, err
	}
	tokens, err := authentication.NewForConfigAndClient(rc, connections)
	if err != nil {
		return nil, err
	}
	access, err := authorization.NewForConfigAndClient(rc, connections)
	if err != nil {
		return nil, err
	}
	r := &Reviewer{tokens: tokens.RESTClient(), access: access.RESTClient(), log: log, tried: make(chan struct{})}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Close ends what Find began.
func (r *Reviewer) Close() { r.end() }

// Issuer implements [reviews.Reviewer].
func (r *Reviewer) Issuer() string {
	if issuer := r.issuer.Load(); issuer != nil {
		return *issuer
	}
	return ""
}

// Find implements [reviews.Reviewer].
func (r *Reviewer) Find() <-chan struct{} {
	r.begin.Do(func() { go r.find() })
	return r.tried
}

// find keeps the issuer at what the API server says. It logs each change.
func (r *Reviewer) find() {
	told := ""
	for first := true; ; first = false {
		wait := again
		issuer, err := r.discover()
		if err != nil {
			wait = retry
			if told != err.Error() && r.ctx.Err() == nil {
				told = err.Error()
				r.log.Warn("the API server does not say who issues the tokens of ServiceAccounts: until it did once, methods kubernetesToken are unavailable (503)", "cause", told, "issuer", r.Issuer())
			}
		} else if told = ""; issuer != r.Issuer() {
			r.issuer.Store(&issuer)
			r.log.Info("the issuer of the tokens of ServiceAccounts is known", "issuer", issuer)
		}
		if first {
			close(r.tried)
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// discover asks for the discovery document, which every ServiceAccount may read.
func (r *Reviewer) discover() (string, error) {
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	data, err := r.tokens.Get().AbsPath("/.well-known/openid-configuration").MaxRetries(0).DoRaw(ctx)
	if err != nil {
		if code := status(err); code == 401 || code == 403 {
			return "", fmt.Errorf("it answered %d: the ServiceAccount of agentauth needs the ClusterRole system:service-account-issuer-discovery, which all have unless its binding was removed", code)
		}
		return "", failure(ctx, err)
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(data, &document); err != nil || document.Issuer == "" {
		return "", errors.New("its discovery document names no issuer")
	}
	return document.Issuer, nil
}

// ReviewToken implements [reviews.Reviewer].
func (r *Reviewer) ReviewToken(ctx context.Context, token string, audiences []string) (reviews.Token, error) {
	review, err := create(ctx, r.tokens, "tokenreviews", &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}})
	if err != nil {
		return reviews.Token{}, err
	}
	s := &review.Status
	extra := make(map[string][]string, len(s.User.Extra))
	for name, values := range s.User.Extra {
		extra[name] = values
	}
	return reviews.Token{Authenticated: s.Authenticated, Username: s.User.Username, UID: s.User.UID, Groups: s.User.Groups, Audiences: s.Audiences, Extra: extra}, nil
}

// ReviewAccess implements [reviews.Reviewer].
func (r *Reviewer) ReviewAccess(ctx context.Context, q reviews.Question) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(q.Extra))
	for name, values := range q.Extra {
		extra[name] = values
	}
	review, err := create(ctx, r.access, "subjectaccessreviews", &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: q.Username, UID: q.UID, Groups: q.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: q.Namespace, Verb: q.Verb, Group: q.Group, Version: "*",
			Resource: q.Resource.Resource, Subresource: q.Subresource, Name: q.Name,
		},
	}})
	return err == nil && review.Status.Allowed && !review.Status.Denied, err
}

// create sends a review and returns the answer. It is sent once: the checks that wait
// have no time for more.
func create[T runtime.Object](ctx context.Context, client rest.Interface, resource string, review T) (answer T, err error) {
	got, err := client.Post().Resource(resource).Body(review).MaxRetries(0).Do(ctx).Get()
	if err != nil {
		return answer, failure(ctx, err)
	}
	answer, ok := got.(T)
	if !ok {
		return answer, errors.New("it answered with another kind of object")
	}
	return answer, nil
}

// status is that of an answer which is an error; 0 if there was none.
func status(err error) int32 {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		return s.Status().Code
	}
	return 0
}

// failure says why there is no answer, and nothing of what came.
func failure(ctx context.Context, err error) error {
	switch code := status(err); {
	case ctx.Err() != nil:
		return ctx.Err()
	case code == 403:
		return reviews.ErrForbidden
	case code == 401:
		return reviews.ErrUnauthorized
	case code != 0:
		return fmt.Errorf("it answered %d", code)
	}
	return errors.New("it cannot be reached, or gave no answer that can be read")
}
