package extauthz

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/agentauth-dev/agentauth/authz"
)

// check is a CheckRequest in Envoy's wire form, read into what the decider is
// asked. A message that is merged from several, as protobuf allows, is read as
// the library reads it: of a field that occurs again the last value counts,
// messages and lists grow.
type check struct {
	raw authz.Raw

	// mapped are the fields of `headers`, of which a name occurs once, and listed
	// those of `header_map`.
	mapped, listed []authz.Header
	names          nameSet
	// places are those of all names in mapped where they are many, else nil.
	places map[string]int
	// variants: names in mapped may differ in letter case only.
	variants      bool
	body, rawBody []byte
	address       string
	tls           bool
	// metadata is empty once it was read.
	metadata    merged
	metadataMap map[string]any
	metadataErr error
	route       merged
	extensions  []authz.Header
	known       known
	marks       marks
	// answer is the answer in its wire form.
	answer *response
}

// checks are checks whose lists can be used again. Whoever is asked about a Raw
// keeps its texts at most, and these are never used again.
var checks = sync.Pool{New: func() any { return new(check) }}

// mostKept bounds the lists of a check that is used again.
const mostKept = 128

// release forgets the message and keeps the lists for another check.
func (c *check) release() {
	if cap(c.mapped) > mostKept || cap(c.listed) > mostKept || cap(c.extensions) > mostKept {
		return
	}
	c.reset()
	checks.Put(c)
}

func (c *check) reset() {
	clear(c.mapped)
	clear(c.listed)
	clear(c.extensions)
	*c = check{mapped: c.mapped[:0], listed: c.listed[:0], extensions: c.extensions[:0], known: c.known}
}

// read reads a message, which nobody changes any more. It judges nothing: what is
// missing stays empty, and authz.NewRequest refuses it.
func (c *check) read(wire []byte) error {
	m := message{rest: wire}
	for m.next() {
		if m.number == 1 && !c.readAttributes(m.value) { // attributes
			return errWire
		}
	}
	if m.bad || !c.finish() {
		return errWire
	}
	return nil
}

func (c *check) readAttributes(wire []byte) bool {
	m := message{rest: wire}
	for ok := true; m.next(); {
		switch m.number {
		case 1: // source
			ok = c.readPeer(m.value)
		case 4: // request
			ok = c.readRequest(m.value)
		case 10: // context_extensions
			var e authz.Header
			if e, ok = readEntry(m.value); ok {
				c.extensions = append(c.extensions, e)
			}
		case 11: // metadata_context
			c.metadata.add(m.value)
		case 12: // tls_session
			c.tls = true
		case 13: // route_metadata_context
			c.route.add(m.value)
		}
		if !ok {
			return false
		}
	}
	return !m.bad
}

// merged is a message that may come in several parts, which are joined. There is
// hardly ever more than one.
type merged struct {
	wire []byte
	// copied: wire is no part of the check's.
	copied bool
}

func (m *merged) add(part []byte) {
	switch {
	case m.wire == nil:
		m.wire = part
	case m.copied:
		m.wire = append(m.wire, part...)
	default:
		m.wire, m.copied = slices.Concat(m.wire, part), true
	}
}

func (c *check) readRequest(wire []byte) bool {
	m := message{rest: wire}
	for m.next() {
		if m.number == 2 && !c.readHTTP(m.value) { // http
			return false
		}
	}
	return !m.bad
}

func (c *check) readHTTP(wire []byte) bool {
	m := message{rest: wire}
	for ok := true; m.next(); {
		switch m.number {
		case 1:
			c.raw.ID, ok = readText(m.value)
		case 2:
			c.raw.Method, ok = readText(m.value)
		case 3: // headers
			var h authz.Header
			if h, ok = readEntry(m.value); ok {
				c.addMapped(h)
			}
		case 4:
			c.raw.Path, ok = readText(m.value)
		case 5:
			c.raw.Host, ok = readText(m.value)
		case 6:
			c.raw.Scheme, ok = readText(m.value)
		case 11: // body
			_, ok = readText(m.value)
			c.body = m.value
		case 12: // raw_body
			c.rawBody = m.value
		case 13: // header_map
			ok = c.readHeaderMap(m.value)
		}
		if !ok {
			return false
		}
	}
	return !m.bad
}

// readEntry reads an entry of a map of texts.
func readEntry(wire []byte) (h authz.Header, ok bool) {
	if name, value, usual := readPair(wire, 1, 2); usual {
		h.Name, ok = readText(name)
		if ok {
			h.Value, ok = readText(value)
		}
		return h, ok
	}
	m := message{rest: wire}
	for ok = true; ok && m.next(); {
		switch m.number {
		case 1:
			h.Name, ok = readText(m.value)
		case 2:
			h.Value, ok = readText(m.value)
		}
	}
	return h, ok && !m.bad
}

// addMapped adds a field of `headers`. In a map a name that comes again replaces
// the first; Envoy never sends one.
func (c *check) addMapped(h authz.Header) {
	if len(c.mapped) >= mostKept {
		c.addToMany(h)
		return
	}
	if c.names.mayHave(h.Name) {
		for i := range c.mapped {
			if c.mapped[i].Name == h.Name {
				c.mapped[i].Value = h.Value
				return
			}
			c.variants = c.variants || authz.EqualFold(c.mapped[i].Name, h.Name)
		}
	}
	c.mapped = append(c.mapped, h)
}

// addToMany is addMapped for more names than are compared one by one: that would take
// minutes for those that a message has room for.
func (c *check) addToMany(h authz.Header) {
	if c.places == nil {
		c.variants = true // nobody looks for them
		c.places = make(map[string]int, 2*len(c.mapped))
		for i := range c.mapped {
			c.places[c.mapped[i].Name] = i
		}
	}
	if i, came := c.places[h.Name]; came {
		c.mapped[i].Value = h.Value
		return
	}
	c.places[h.Name] = len(c.mapped)
	c.mapped = append(c.mapped, h)
}

// readHeaderMap reads fields as they came (encode_raw_headers).
func (c *check) readHeaderMap(wire []byte) bool {
	m := message{rest: wire}
	for m.next() {
		if m.number != 1 { // headers
			continue
		}
		h, ok := readHeaderValue(m.value)
		if !ok {
			return false
		}
		c.listed = append(c.listed, h)
	}
	return !m.bad
}

// readHeaderValue reads a field of which the raw value can be any bytes.
func readHeaderValue(wire []byte) (h authz.Header, ok bool) {
	var rawValue []byte
	if name, value, usual := readPair(wire, 1, 3); usual {
		h.Name, ok = readText(name)
		h.Value = share(value)
		return h, ok
	}
	m := message{rest: wire}
	for ok = true; ok && m.next(); {
		switch m.number {
		case 1:
			h.Name, ok = readText(m.value)
		case 2:
			h.Value, ok = readText(m.value)
		case 3:
			rawValue = m.value
		}
	}
	if len(rawValue) > 0 {
		h.Value = share(rawValue)
	}
	return h, ok && !m.bad
}

// readPeer reads the source.
func (c *check) readPeer(wire []byte) bool {
	m := message{rest: wire}
	for ok := true; m.next(); {
		switch m.number {
		case 1:
			ok = c.readAddress(m.value)
		case 4:
			c.raw.Source.Principal, ok = readText(m.value)
		case 5:
			c.raw.Source.Certificate, ok = readText(m.value)
		}
		if !ok {
			return false
		}
	}
	return !m.bad
}

// readAddress reads one of socket_address, pipe and envoy_internal_address: the last
// one counts.
func (c *check) readAddress(wire []byte) bool {
	m := message{rest: wire}
	for m.next() {
		switch m.number {
		case 1: // socket_address
			socket := message{rest: m.value}
			for ok := true; socket.next(); {
				if socket.number == 2 {
					c.address, ok = readText(socket.value)
				}
				if !ok {
					return false
				}
			}
			if socket.bad {
				return false
			}
		case 2, 3:
			c.address = ""
		}
	}
	return !m.bad
}

// finish makes the Raw of what was read. Of a message that has both forms of
// headers nothing is overlooked; Envoy sends one of them.
func (c *check) finish() bool {
	r := &c.raw
	if c.variants { // read in one order, whatever the map's
		slices.SortFunc(c.mapped, func(a, b authz.Header) int { return strings.Compare(a.Name, b.Name) })
	}
	r.Joined = len(c.mapped) > 0
	r.Headers = c.mapped
	if len(c.listed) > 0 {
		if r.Headers = c.listed; r.Joined {
			c.mapped = append(c.mapped, c.listed...)
			r.Headers = c.mapped
		}
	}
	c.marks.read(r.Headers)
	r.ID = or(c.marks.requestID.value, r.ID) // Envoy's own id is in no other log
	r.Method, r.Scheme = or(r.Method, c.marks.method.value), or(r.Scheme, c.marks.scheme.value)
	r.Host, r.Path = or(r.Host, c.marks.authority.value), or(r.Path, c.marks.path.value)
	r.Source.Address = readAddress(c.address)
	r.TLS = (c.tls || authz.EqualFold(r.Scheme, "https")) && !c.marks.forwardedPlain
	c.readBody()
	r.ContextExtensions = c.known.readExtensions(c.extensions)
	if len(c.metadata.wire) > 0 {
		r.Metadata = (*metadata)(c)
	}
	var ok bool
	r.Route, ok = c.known.readRoute(c.route.wire)
	return ok
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// readAddress writes the address as RFC 5952 does; a peer that has no IP
// address (a pipe, an internal listener) has none here either.
func readAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	var room [64]byte
	if text := ip.AppendTo(room[:0]); string(text) == address {
		return address
	}
	return ip.String()
}

// nameSet says quickly that a name is new, in any letter case.
type nameSet [4]uint64

func (s *nameSet) mayHave(name string) bool {
	hash := uint32(len(name)) * 37
	if n := len(name); n > 0 {
		hash += uint32(name[n-1]|0x20)*11 + uint32(name[n/2]|0x20)*5 + uint32(name[0]|0x20)
	}
	word, bit := &s[hash>>6&3], uint64(1)<<(hash&63)
	had := *word&bit != 0
	*word |= bit
	return had
}

// partialBody is appended by Envoy (with_request_body) behind whatever the
// caller sent under that name, so only the last one is Envoy's. It is left
// among the headers.
const partialBody = "x-envoy-auth-partial-body"

// readBody reads the body and whether it is all of it. A caller can send
// partialBody where Envoy was not told to, so an empty body is never believed
// on its word: only content-length: 0 says that there is none. A method says
// nothing: a GET can have a body in chunks, and Envoy passes on no
// transfer-encoding of HTTP/1 by which it could be noticed. Without pack_as_bytes
// Envoy writes '!' for bytes that are not UTF-8, which cannot be seen here; docs and
// samples use pack_as_bytes.
func (c *check) readBody() {
	body := c.rawBody
	if len(c.body) > 0 {
		body = c.body
	}
	c.raw.Body = body
	switch m := &c.marks; {
	case m.marked && m.partial != "false", m.lengths && !agree(c.raw.Headers, len(body)):
	case len(body) > 0:
		c.raw.BodyKnown = m.marked
	default:
		c.raw.BodyKnown = !m.coded && m.lengths
	}
}

// marks are what the headers say that the door reads itself.
type marks struct {
	// The first of each.
	requestID, method, scheme, authority, path mark
	// partial is the last value of partialBody; marked says that there is one.
	partial string
	marked  bool
	// lengths: there is a content-length. coded: there is a transfer-encoding.
	lengths, coded bool
	// forwardedPlain: an x-forwarded-proto says otherwise than https.
	forwardedPlain bool
}

// mark is the value of a header.
type mark struct {
	value string
	found bool
}

func (m *mark) first(h *authz.Header, name string) {
	if !m.found && authz.EqualFold(h.Name, name) {
		m.value, m.found = h.Value, true
	}
}

// read reads the headers once. A tls_session is Envoy's own measurement, but is only
// sent with include_tls_session, so the scheme has to do without it. A caller can
// choose the scheme (:scheme of HTTP/2, the absolute form of HTTP/1.1, both passed on
// as sent) and, unless Envoy overwrites it (use_remote_address, no trusted hops),
// x-forwarded-proto. So every word there is must say TLS. Where a caller can forge
// them all, it still only waives the protection of a credential that is its own.
func (m *marks) read(headers []authz.Header) {
	for i := range headers {
		h := &headers[i]
		switch len(h.Name) {
		case len(":path"):
			m.path.first(h, ":path")
		case len(":method"): // and :scheme
			m.method.first(h, ":method")
			m.scheme.first(h, ":scheme")
		case len(":authority"):
			m.authority.first(h, ":authority")
		case len("x-request-id"):
			m.requestID.first(h, "x-request-id")
		case len("content-length"):
			m.lengths = m.lengths || authz.EqualFold(h.Name, "content-length")
		case len("transfer-encoding"): // and x-forwarded-proto
			if authz.EqualFold(h.Name, "transfer-encoding") {
				m.coded = true
			} else if authz.EqualFold(h.Name, "x-forwarded-proto") && !authz.EqualFold(h.Value, "https") {
				m.forwardedPlain = true
			}
		case len(partialBody):
			if authz.EqualFold(h.Name, partialBody) {
				m.partial, m.marked = h.Value, true
			}
		}
	}
}

// agree says whether every content-length is that of the body; one that is no plain
// number ("5,5", "05") is not.
func agree(headers []authz.Header, size int) bool {
	var room [20]byte
	want := strconv.AppendInt(room[:0], int64(size), 10)
	for i := range headers {
		if h := &headers[i]; len(h.Name) == len("content-length") && authz.EqualFold(h.Name, "content-length") && h.Value != string(want) {
			return false
		}
	}
	return true
}
