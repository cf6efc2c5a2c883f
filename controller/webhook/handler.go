package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Path is where reviews are asked for.
const Path = "/validate"

const (
	// maxBody takes a policy as large as etcd keeps, twice, for an update.
	maxBody = 4 << 20
	// queue is how many reviews of one source and namespace may wait to be compiled.
	queue = 8
	// maxTime is longer than an API server waits with the chart's settings.
	maxTime = 10 * time.Second
	// maxRead is how long a body may take that has room: API servers send at once.
	maxRead = 2 * time.Second
)

// Results of reviews, as told to Config.Reviewed.
const (
	Allowed = "allowed"
	Refused = "refused"
	Failed  = "failed" // the API server goes by its failurePolicy
)

// handler answers reviews.
type handler struct {
	judge    *Judge
	log      *slog.Logger
	reviewed func(result string)
	shares   *shares
	// turns has one review compiled at a time, so that what decides keeps the other
	// cores: in turns of sources, and of the namespaces of each source.
	turns    *work.Scheduler
	overtime *overtime
}

func newHandler(c *Config) http.Handler {
	h := &handler{
		judge: &c.Judge, log: c.Log, reviewed: c.Reviewed, shares: newShares(),
		turns: work.New(work.Options{Slots: 1, MaxWaitingPerOwner: queue}), overtime: &overtime{lost: map[place]int{}},
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+Path, h)
	return mux
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("a review panicked and was answered 500", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			h.fail(w, http.StatusInternalServerError, "a defect of agentauth; see its log")
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), maxTime)
	defer cancel()
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		h.fail(w, http.StatusUnsupportedMediaType, "expected application/json")
		return
	}
	if r.ContentLength > maxBody {
		h.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("expected a body of at most %d bytes, got %d", maxBody, r.ContentLength))
		return
	}
	source, bytes := sourceOf(r.RemoteAddr), r.ContentLength
	if bytes < 0 {
		bytes = maxBody
	}
	leave, err := h.shares.enter(ctx, source, bytes)
	if err != nil {
		h.fail(w, http.StatusTooManyRequests, errBusy.Error())
		return
	}
	defer leave()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(maxRead)) // of a recorder there is none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("expected a body of at most %d bytes within %s", maxBody, maxRead))
		return
	}
	req, err := parse(body)
	if err != nil {
		h.fail(w, http.StatusBadRequest, err.Error())
		return
	}
	response, err := h.review(ctx, source, req)
	switch {
	case errors.Is(err, errEndless), errors.Is(err, errLost):
		h.log.Error("a review was given up", "policy", cut(req.Namespace, maxName)+"/"+cut(req.policy.Metadata.Name, maxName), "source", source, "error", err.Error())
		h.fail(w, http.StatusServiceUnavailable, err.Error())
	case err != nil:
		h.fail(w, http.StatusTooManyRequests, errBusy.Error())
	default:
		h.answer(w, req, response)
	}
}

// review fails where there is no time for it.
func (h *handler) review(ctx context.Context, source string, r *request) (*admissionv1.AdmissionResponse, error) {
	if r.exempt() {
		return allowed(nil), nil
	}
	var p *v1alpha1.AgentAuthPolicy
	var v verdict
	// A few bytes of JSON may become many in memory, so specs are read in turn
	// too. What panics there panics here.
	var late error
	if err := h.turns.Do(ctx, work.Task{Owner: work.Owner{Namespace: source, Policy: r.Namespace}, Kind: "review"}, func() {
		late = h.overtime.run(place{source, r.Namespace}, func() {
			if r.unchanged() {
				return
			}
			if p, v.invalid = r.candidate(); v.invalid == nil {
				v = h.judge.judge(p)
			}
		})
	}); err != nil {
		return nil, err
	}
	if late != nil {
		return nil, late
	}
	if v.invalid == nil {
		return allowed(v.warnings), nil
	}
	response := refused(p, v.invalid)
	h.log.Info("a policy was refused at apply", "policy", cut(p.Namespace, maxName)+"/"+cut(p.Name, maxName),
		"operation", string(r.Operation), "problem", response.Result.Message)
	return response, nil
}

func (h *handler) answer(w http.ResponseWriter, r *request, response *admissionv1.AdmissionResponse) {
	response.UID = r.UID
	review := admissionv1.AdmissionReview{Response: response}
	review.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	data, err := json.Marshal(review)
	if err != nil {
		h.fail(w, http.StatusInternalServerError, "the answer cannot be written")
		return
	}
	h.reviewed(map[bool]string{true: Allowed, false: Refused}[response.Allowed])
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

// fail lets the API server go by its failurePolicy.
func (h *handler) fail(w http.ResponseWriter, status int, why string) {
	h.reviewed(Failed)
	http.Error(w, "agentauth: "+why, status)
}
