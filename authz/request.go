package authz

import (
	"strings"
	"time"
)

// Raw is what a door saw of a request, before any of it is believed.
type Raw struct {
	// ID is the proxy's id of the request, for logs.
	ID string
	// Method, Scheme, Host and Path are as sent; Path includes the query.
	Method, Scheme, Host, Path string
	// Headers are in the order received, pseudo-headers included. Joined says
	// that fields of one name may have come to the door as one, joined by commas.
	Headers []Header
	Joined  bool
	// Body is the complete body if BodyKnown, else it is not looked at.
	Body      []byte
	BodyKnown bool
	Source    Source
	// TLS says that the caller reached the proxy over TLS.
	TLS bool
	// ContextExtensions come from the proxy's configuration.
	ContextExtensions map[string]string
	// Metadata is the proxy's dynamic metadata; nil is none.
	Metadata Metadata
	// Route is the route the proxy says serves the request; nil if it does
	// not say.
	Route *RouteRef
	// Time is when the request was received.
	Time time.Time
}

// Source is the peer of the proxy.
type Source struct {
	// Address is an IP address without port, in RFC 5952 form.
	Address string
	// Principal is the peer as the proxy authenticated it.
	Principal string
	// Certificate is the client certificate of the connection as the proxy passes it
	// on: PEM, percent-encoded; "" is none. Nobody has read or verified it.
	Certificate string
}

// RouteRef names a Gateway API route and, where the rule has a name, the rule.
type RouteRef struct{ Kind, Namespace, Name, SectionName string }

// Request is a request that everybody reads in the same way. It is made by
// [NewRequest] and does not change.
type Request struct {
	ID     string
	Method string
	Scheme string
	// Host is in lower case and without port; Port is that of the authority as sent,
	// "" if it has none.
	Host, Port string
	// RawPath is the path as sent, without query: what routes match.
	RawPath string
	// Path is RawPath decoded, each segment cut at its first ';': what
	// expressions see. %2F, and %25 before two hexadecimal digits, stay encoded.
	Path string
	// PathForms are the forms of the path that servers read in two ways. Who decides
	// the request has to admit them, or refuse it. PathReadings are the other ways,
	// as paths undecoded.
	PathForms    PathForms
	PathReadings []string
	// RawQuery is the query as sent, without '?'; Query is what it holds.
	RawQuery          string
	Query             Query
	Body              []byte
	BodyKnown         bool
	Source            Source
	TLS               bool
	ContextExtensions map[string]string
	Metadata          Metadata
	Route             *RouteRef
	Time              time.Time
	// Recorded is what a record says of the request, which has no credentials then;
	// nil: the request itself came. Parse sets none.
	Recorded *Recorded

	fields fields
	// joined: a comma in a field can be that between two.
	joined bool
}

// BadRequestError says why a request is refused before any policy is asked.
// Its text is safe to send to the caller: it never holds a value of theirs.
type BadRequestError struct{ Problem string }

func (e *BadRequestError) Error() string { return e.Problem }

func bad(problem string) error { return &BadRequestError{Problem: problem} }

// NewRequest reads a request strictly: whatever a proxy, an upstream and
// agentauth might understand differently is a *[BadRequestError].
func NewRequest(raw Raw) (*Request, error) {
	r := new(Request)
	if err := r.Parse(raw); err != nil {
		return nil, err
	}
	return r, nil
}

// Parse reads a request into r as [NewRequest] does. It takes the slices of the
// request that r was before, which nobody may read any more: neither r, nor its
// Query. After an error r is no request.
func (r *Request) Parse(raw Raw) error {
	r.Reset()
	err := r.parse(&raw)
	if err != nil {
		r.Reset()
	}
	return err
}

// Reset leaves nothing of a request in r but empty slices for the next one. A pool
// resets what is put into it, or one request would hold the memory of another. What
// a huge request needed is not kept.
func (r *Request) Reset() {
	query, fields := emptied(r.Query, keptParams), &r.fields
	fields.reset()
	*r = Request{Query: query, fields: *fields}
}

func (r *Request) parse(raw *Raw) error {
	r.ID, r.Method, r.Scheme = raw.ID, raw.Method, Lower(raw.Scheme)
	r.Body, r.BodyKnown, r.Source, r.TLS = raw.Body, raw.BodyKnown, raw.Source, raw.TLS
	r.ContextExtensions, r.Metadata = raw.ContextExtensions, raw.Metadata
	r.Route, r.Time, r.joined = raw.Route, raw.Time, raw.Joined
	if err := checkMethod(raw.Method); err != nil {
		return err
	}
	var err error
	if r.Host, err = parseHost(raw.Host); err != nil {
		return err
	}
	r.Port = strings.TrimPrefix(raw.Host[len(r.Host):], ":")
	path, query, _ := strings.Cut(raw.Path, "?")
	if r.RawPath, r.RawQuery = path, query; strings.Contains(query, "#") {
		return bad("the request target has a fragment")
	}
	if r.Path, r.PathForms, r.PathReadings, err = readPath(path); err != nil {
		return err
	}
	if r.Query, err = parseQuery(r.Query, query); err != nil {
		return err
	}
	return r.readHeaders(raw)
}

func checkMethod(m string) error {
	if m == "" || len(m) > 64 {
		return bad("the method is empty or longer than 64 bytes")
	}
	if all, _ := classesOf(m); all&methodByte == 0 {
		return bad("the method is no token in upper case")
	}
	return nil
}

// parseHost reduces a host as sent to lower case without port. Only what
// RFC 3986 3.2.2 calls a reg-name of letters, digits, '-', '.' and '_', or an
// IP literal, is a host: everything else has more than one reading.
func parseHost(host string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port := host[i+1:]
		name = host[:i]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", bad("the host has a malformed port")
		}
	}
	switch {
	case name == "":
		return "", bad("the host is empty")
	case len(name) > 255:
		return "", bad("the host is longer than 255 bytes")
	case name[0] == '[':
		inner, ok := strings.CutSuffix(name[1:], "]")
		if !ok || inner == "" || strings.Trim(inner, "0123456789abcdefABCDEF:.") != "" {
			return "", bad("the host is a malformed IP literal")
		}
	default:
		if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
			return "", bad("the host has an empty label")
		}
		if all, _ := classesOf(name); all&hostByte == 0 {
			return "", bad("the host has a character that no host name has")
		}
	}
	return Lower(name), nil
}
