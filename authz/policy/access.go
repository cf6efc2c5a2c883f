package policy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Access asks the cluster whether the identity may do something.
type Access struct {
	// Resource is what is asked about; a Verb of "" is that of the request's method.
	Resource reviews.Resource
	// Name, if not nil, is the name of the resource.
	Name *expr.Program
	// UsernamePrefix and GroupsPrefix make names for the cluster of identities that are
	// not its own.
	UsernamePrefix, GroupsPrefix string
	// Reviewer answers, unless Missing says why nobody can be asked.
	Reviewer AccessReviewer
	Missing  string
}

// AccessReviewer answers whether somebody may do something. An error is an
// *authn.Unavailable.
type AccessReviewer interface {
	Allowed(ctx context.Context, q reviews.Question) (bool, error)
}

const (
	maxAccessName   = 253
	maxAccessGroups = 256
	clusterNames    = "system:"
)

// access is the stage that asks the cluster, after the rules.
type access struct {
	Access
	// own are the methods whose identities are the cluster's own.
	own    []string
	denial *denial
}

func newAccess(c Config) *access {
	s := &access{Access: *c.Access, denial: clusterDenies.of(c.Unauthorized)}
	for _, m := range c.Methods {
		if m.Cluster {
			s.own = append(s.own, m.Name)
		}
	}
	return s
}

func (s *access) run(ctx context.Context, x *exchange) bool {
	if x.recorded() != nil {
		return x.unknown("what the cluster allows (authorization.kubernetes)")
	}
	q, refused := s.question(ctx, x)
	if refused != nil {
		return x.decide(*refused)
	}
	step := authz.Step{Stage: authz.StageAuthorize, Name: "kubernetes", Outcome: authz.StepHolds, Read: inWords(q)}
	if s.Missing != "" {
		return s.unavailable(x, step, &authn.Unavailable{Reason: authz.Unavailable, Detail: s.Missing})
	}
	work.BudgetOf(ctx).Done() // it waits, and needs no turn for that
	allowed, err := s.Reviewer.Allowed(ctx, q)
	if err != nil {
		return s.unavailable(x, step, err)
	}
	if !allowed {
		step.Outcome = authz.StepFails
		x.trace.Add(step)
		return x.decide(s.deny(authz.AccessDenied, "the cluster does not allow "+inWords(q)))
	}
	x.trace.Add(step)
	return false
}

func (s *access) unavailable(x *exchange, step authz.Step, err error) bool {
	var u *authn.Unavailable
	if !errors.As(err, &u) {
		u = &authn.Unavailable{Reason: authz.Internal, Detail: "a defect of agentauth: a review without an answer"}
	}
	step.Outcome, step.Detail = authz.StepUnavailable, u.Detail
	x.trace.Add(step)
	return x.decide(Unavailable(u.Reason, u.Detail, u.RetryAfter))
}

// question is what is asked about a request, or the decision without asking.
func (s *access) question(ctx context.Context, x *exchange) (q reviews.Question, refused *authz.Decision) {
	refuse := func(reason authz.Reason, detail string) (reviews.Question, *authz.Decision) {
		x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Name: "kubernetes", Outcome: authz.StepRefused, Detail: detail})
		d := s.deny(reason, detail)
		return q, &d
	}
	q.Resource = s.Resource
	if q.Verb == "" {
		if q.Verb = verbs[x.request.Method]; q.Verb == "" {
			return refuse(authz.AccessDenied, "no verb of the cluster is for the request's method, and the policy names none")
		}
	}
	if why := s.account(x.identity, &q); why != "" {
		return refuse(authz.AccessDenied, why)
	}
	if s.Name == nil {
		return q, nil
	}
	name, present, err := evalString(ctx, s.Name, x.input())
	if err != nil {
		if d, late := notEvaluated(ctx, err); late {
			return q, &d
		}
		return refuse(authz.ExpressionFailed, "authorization.kubernetes.resource.nameFrom failed: "+err.Error())
	}
	if !present || len(name) > maxAccessName {
		return refuse(authz.ExpressionFailed, "authorization.kubernetes.resource.nameFrom: expected a name of 1 to "+strconv.Itoa(maxAccessName)+" bytes, got "+strconv.Itoa(len(name)))
	}
	q.Name = strings.Clone(name) // which is a part of a whole request
	return q, nil
}

// verbs are those that the API server makes of methods.
var verbs = map[string]string{"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

// account makes of an identity somebody that the cluster knows. why says why it must
// not be asked about.
func (s *access) account(id *authz.Identity, q *reviews.Question) (why string) {
	switch {
	case id.Subject == "":
		return "the identity has no subject, and the cluster knows nobody without a name"
	case len(id.Groups) > maxAccessGroups:
		return "the identity has more than " + strconv.Itoa(maxAccessGroups) + " groups, which are too many to ask about"
	case slices.Contains(s.own, id.Method):
		q.Username, q.Groups = id.Subject, id.Groups
		q.UID, q.Extra = authn.Account(id)
		return ""
	}
	q.Username = s.UsernamePrefix + id.Subject
	q.Groups = make([]string, len(id.Groups))
	for i, g := range id.Groups {
		q.Groups[i] = s.GroupsPrefix + g
	}
	// Whoever could be named so would have the rights of the cluster's own accounts.
	if s.UsernamePrefix == "" || s.GroupsPrefix == "" || slices.ContainsFunc(append(q.Groups, q.Username), isClusterName) {
		return "the name or a group of the identity would be one of the cluster's own (system:)"
	}
	return ""
}

func isClusterName(name string) bool { return strings.HasPrefix(name, clusterNames) }

// inWords is a question for people.
func inWords(q reviews.Question) string {
	what := q.Resource.Resource
	if q.Subresource != "" {
		what += "/" + q.Subresource
	}
	if q.Group != "" {
		what += "." + q.Group
	}
	if q.Name != "" {
		what += " " + authn.Quote(q.Name)
	}
	return authn.Quote(q.Username) + " to " + q.Verb + " " + what + " in namespace " + q.Namespace
}

func (s *access) deny(reason authz.Reason, detail string) authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Reason: reason, Detail: detail}
	s.denial.answer(&d)
	return d
}

var clusterDenies = newChangeable(403, "The roles of the caller do not allow this request.")

var _ AccessReviewer = reviews.Server{}

// NewAccess is the Access of a policy in a namespace, without the name, reviewer and
// why there is none.
func NewAccess(src *v1alpha1.KubernetesAccess, namespace string) *Access {
	r := src.Resource
	return &Access{
		Resource:       reviews.Resource{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Namespace: namespace, Name: r.Name},
		UsernamePrefix: src.UsernamePrefix, GroupsPrefix: src.GroupsPrefix,
	}
}
