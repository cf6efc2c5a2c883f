package forward

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// usual are the headers that an allowance tells of where the operator named none.
var usual = []string{"authorization", "cookie"}

// answer writes a decision. What cannot be written as it is, is an error that names the
// field and not its value; nothing was written then.
func (s *Server) answer(w http.ResponseWriter, raw *authz.Raw, d *authz.Decision) error {
	if err := check(d); err != nil {
		return err
	}
	h := w.Header()
	h["Date"] = nil // it would be one more header for the upstream
	if d.Outcome == authz.Allow {
		s.allow(h, raw, d)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	s.refuse(w, d)
	return nil
}

// check finds what cannot be written, before anything is.
func check(d *authz.Decision) error {
	for _, list := range [][]authz.Header{d.Set, d.Headers} {
		for _, one := range list {
			switch {
			case !authz.ValidFieldName(one.Name):
				return fmt.Errorf("a header has the name %q, which is no field name", one.Name)
			case !authz.ValidFieldValue(one.Value):
				return fmt.Errorf("header %s has a value that is no field value", one.Name)
			}
		}
	}
	for _, name := range d.Remove {
		if !authz.ValidFieldName(name) {
			return fmt.Errorf("a header to remove has the name %q, which is no field name", name)
		}
	}
	if d.Outcome == authz.Allow && len(d.RemoveQuery) > 0 {
		return errors.New("no proxy removes a parameter of the query")
	}
	return nil
}

// allow writes what the upstream is to get: Envoy is told what changes, the others get
// the headers that they take over as the upstream gets them. They remove those of the
// caller first, so that one that is not there is removed.
func (s *Server) allow(h http.Header, raw *authz.Raw, d *authz.Decision) {
	if s.dialect.removes {
		var remove []string
		for _, name := range d.Remove {
			if !sets(d, name) {
				remove = append(remove, name)
			}
		}
		if len(remove) > 0 {
			h.Set("x-envoy-auth-headers-to-remove", strings.Join(remove, ","))
		}
	} else {
		for _, name := range s.names {
			if !sets(d, name) && !slices.Contains(d.Remove, name) {
				keep(h, raw, name)
			}
		}
	}
	for _, one := range d.Set {
		h.Set(one.Name, one.Value)
	}
}

func sets(d *authz.Decision, name string) bool {
	return slices.ContainsFunc(d.Set, func(one authz.Header) bool { return authz.EqualFold(one.Name, name) })
}

// keep answers with a header as it came. Not every proxy takes over more than one field.
func keep(h http.Header, raw *authz.Raw, name string) {
	var values []string
	for _, one := range raw.Headers {
		if one.Name == name {
			values = append(values, one.Value)
		}
	}
	if len(values) == 0 {
		return
	}
	by := ", "
	if name == "cookie" {
		by = "; "
	}
	h.Set(name, strings.Join(values, by))
}

// refuse writes what the caller is answered.
func (s *Server) refuse(w http.ResponseWriter, d *authz.Decision) {
	if d.Outcome == authz.Respond { // 2xx is an allowance
		other := notServed(d)
		d = &other
	}
	h := w.Header()
	for _, one := range d.Headers {
		if !strings.HasPrefix(authz.Lower(one.Name), "x-accel-") { // it tells nginx what to do, as to answer with a file
			h.Add(one.Name, one.Value)
		}
	}
	code := status(d)
	if s.dialect == Nginx.of() {
		code = forNginx(h, code)
	}
	w.WriteHeader(code)
	_, _ = w.Write([]byte(d.Body)) // #nosec G705 -- the body is never HTML; a proxy that hung up is its own business
}

// status is that of a refusal: the decision's, if it is one of its outcome's.
func status(d *authz.Decision) int {
	switch {
	case d.Status >= 400 && d.Status <= 599:
		return d.Status
	case d.Outcome == authz.Error:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

// forNginx is 401 or 403, which nginx passes on, where the caller is at fault: anything
// else is 500 to nginx. It takes over one challenge.
func forNginx(h http.Header, status int) int {
	h.Set("x-agentauth-status", strconv.Itoa(status))
	if challenges := h["Www-Authenticate"]; len(challenges) > 1 {
		h.Set("www-authenticate", strings.Join(challenges, ", "))
	}
	if status < 500 && status != http.StatusUnauthorized {
		return http.StatusForbidden
	}
	return status
}

// unavailable is the answer where there is no decision that could be written.
var unavailable = authz.Decision{
	Outcome: authz.Error, Status: 503, Headers: []authz.Header{{Name: "content-type", Value: problemJSON}},
	Body: `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The request could not be decided. Try again later."}`,
}
