package extauthz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// Writable decides as next does, and answers 503 where Envoy cannot be told what next
// decided. The door does so too, but behind whoever records decisions: they would have an
// allowance that nobody got.
func Writable(next Decider) Decider { return writable{next} }

type writable struct{ next Decider }

// Decide implements [Decider].
func (w writable) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	d := w.next.Decide(ctx, raw)
	if err := checkDecision(&d); err != nil {
		return unwritable(&d, err)
	}
	if d.Outcome != authz.Allow {
		d.Status = httpStatus(&d)
	}
	return d
}

// checkDecision finds what [encode] cannot write. Its text has the name of a field, and
// no value.
func checkDecision(d *authz.Decision) error {
	for _, list := range [...][]authz.Header{d.Set, d.Headers} {
		for i := range list {
			if err := checkField(&list[i]); err != nil {
				return err
			}
		}
	}
	for _, name := range d.Remove {
		if !authz.ValidFieldName(name) {
			return fmt.Errorf("a header to remove has the name %q, which is no field name", name)
		}
	}
	for _, name := range d.RemoveQuery {
		if !utf8.ValidString(name) {
			return fmt.Errorf("a query parameter to remove has the name %q, which is not UTF-8", name)
		}
	}
	for key, value := range d.Metadata {
		if !utf8.ValidString(key) || !isJSON(value) {
			return fmt.Errorf("metadata %q is no JSON value in UTF-8", key)
		}
	}
	switch {
	case !utf8.ValidString(d.Body):
		return errors.New("the body is not UTF-8")
	case d.Outcome == authz.Respond && (d.Status < 200 || d.Status > 599):
		return fmt.Errorf("an answer has the status %d, expected 200 to 599", d.Status)
	}
	return nil
}

// isJSON says whether a value can be written as metadata, as structpb.NewValue says it.
func isJSON(value any) bool {
	switch v := value.(type) {
	case nil, bool, float64:
		return true
	case string:
		return utf8.ValidString(v)
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !isJSON(one) })
	case map[string]any:
		for key, one := range v {
			if !utf8.ValidString(key) || !isJSON(one) {
				return false
			}
		}
		return true
	}
	_, err := structpb.NewValue(value)
	return err == nil
}

// unwritable is the answer in the place of a decision: whose request it is stays known.
func unwritable(d *authz.Decision, cause error) authz.Decision {
	out := *d
	out.Outcome, out.Reason, out.Status, out.Detail = authz.Error, authz.Internal, 503, "the decision cannot be written for the proxy: "+cause.Error()
	out.Set, out.Remove, out.RemoveQuery, out.Token, out.Metadata = nil, nil, nil, "", nil
	out.Headers, out.Body, out.Problem = []authz.Header{{Name: "content-type", Value: problemJSON}}, cannotDecide, false
	return out
}
