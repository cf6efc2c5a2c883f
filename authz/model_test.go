package authz

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A model is a request as the plain code of before read it: headers in a map, each
// question answered from it.
type model struct {
	Request
	headers map[string]modelFields
	aliases map[string][]string
}

type modelFields struct {
	value string
	each  []string
	count int
}

func modelBad(format string, args ...any) error {
	return &BadRequestError{Problem: fmt.Sprintf(format, args...)}
}

func modelNewRequest(raw Raw) (*model, error) {
	r := &model{Request: Request{
		ID: raw.ID, Method: raw.Method, Scheme: Lower(raw.Scheme),
		Body: raw.Body, BodyKnown: raw.BodyKnown, Source: raw.Source, TLS: raw.TLS,
		ContextExtensions: raw.ContextExtensions, Metadata: raw.Metadata,
		Route: raw.Route, Time: raw.Time, joined: raw.Joined,
	}}
	if err := modelCheckMethod(raw.Method); err != nil {
		return nil, err
	}
	var err error
	if r.Host, err = modelParseHost(raw.Host); err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(raw.Path, "?")
	if r.RawPath, r.RawQuery = path, query; strings.Contains(query, "#") {
		return nil, modelBad("the request target has a fragment")
	}
	if r.Path, r.PathForms, r.PathReadings, err = modelReadPath(path); err != nil {
		return nil, err
	}
	if r.Query, err = modelParseQuery(query); err != nil {
		return nil, err
	}
	if err = r.readHeaders(raw); err != nil {
		return nil, err
	}
	return r, nil
}

func modelCheckMethod(m string) error {
	if m == "" || len(m) > 64 {
		return modelBad("the method is empty or longer than 64 bytes")
	}
	for i := range len(m) {
		if c := m[i]; !modelIsToken(c) || c >= 'a' && c <= 'z' {
			return modelBad("the method is no token in upper case")
		}
	}
	return nil
}

func modelParseHost(host string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port := host[i+1:]
		name = host[:i]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", modelBad("the host has a malformed port")
		}
	}
	switch {
	case name == "":
		return "", modelBad("the host is empty")
	case len(name) > 255:
		return "", modelBad("the host is longer than 255 bytes")
	case name[0] == '[':
		inner, ok := strings.CutSuffix(name[1:], "]")
		if !ok || inner == "" || strings.Trim(inner, "0123456789abcdefABCDEF:.") != "" {
			return "", modelBad("the host is a malformed IP literal")
		}
	default:
		if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
			return "", modelBad("the host has an empty label")
		}
		for i := range len(name) {
			if !modelIsHostByte(name[i]) {
				return "", modelBad("the host has a character that no host name has")
			}
		}
	}
	return Lower(name), nil
}

func modelIsHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_'
}

func (r *model) Header(name string) (value string, fields int) {
	f := r.headers[name]
	return f.value, f.count
}

func (r *model) Cookie(name string) []string {
	var out []string
	for pair := range strings.SplitSeq(r.headers["cookie"].value, ";") {
		n, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.TrimRight(n, " \t") == name {
			out = append(out, strings.TrimLeft(v, " \t"))
		}
	}
	return out
}

func (r *model) CookieSightings(name string) int {
	n := 0
	for part := range strings.FieldsFuncSeq(r.headers["cookie"].value, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '"'
	}) {
		if before, _, _ := strings.Cut(part, "="); before == name {
			n++
		}
	}
	return n
}

func (r *model) readHeaders(raw Raw) error {
	r.headers = make(map[string]modelFields, len(raw.Headers))
	for _, h := range raw.Headers {
		name, pseudo := strings.CutPrefix(h.Name, ":")
		err := modelCheckField(name, h.Value)
		switch name = Lower(name); {
		case err != nil:
			return err
		case !pseudo:
			r.add(name, h.Value)
			continue
		}
		if err := r.checkPseudo(raw, name, h.Value); err != nil {
			return err
		}
	}
	if f, ok := r.headers["host"]; ok {
		if host, err := modelParseHost(f.value); err != nil || host != r.Host {
			return modelBad("the host header and the authority differ")
		}
	}
	return r.checkConnection()
}

func (r *model) add(name, value string) {
	f, more := r.headers[name]
	switch {
	case !more:
		f.value = value
		if alias := modelAlias(name); alias != name {
			if r.aliases == nil {
				r.aliases = map[string][]string{}
			}
			r.aliases[alias] = append(r.aliases[alias], name)
		}
	case name == "cookie":
		f.value += "; " + value
	default:
		if f.each == nil {
			f.each = []string{f.value}
		}
		f.each = append(f.each, value)
		f.value += "," + value
	}
	f.count++
	r.headers[name] = f
}

func (r *model) checkPseudo(raw Raw, name, value string) error {
	same := true
	switch name {
	case "authority":
		host, err := modelParseHost(value)
		same = err == nil && host == r.Host
	case "method":
		same = value == raw.Method
	case "path":
		same = value == raw.Path
	case "scheme":
		same = EqualFold(value, raw.Scheme)
	}
	if !same {
		return modelBad(":%s differs from the request's own", name)
	}
	return nil
}

func modelCheckField(name, value string) error {
	if name == "" {
		return modelBad("a header has no name")
	}
	for i := range len(name) {
		if !modelIsToken(name[i]) {
			return modelBad("a header name is no token")
		}
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return modelBad("a header value has a line break or NUL")
	}
	return nil
}

func modelAlias(name string) string {
	for i := range len(name) {
		if !modelInAlias(name[i]) {
			b := []byte(name)
			for ; i < len(b); i++ {
				if b[i] = lower(b[i]); !modelInAlias(b[i]) {
					b[i] = '-'
				}
			}
			return string(b)
		}
	}
	return name
}

func modelInAlias(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

func modelIsToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func (r *model) Read(name string) Reading {
	f, came := r.headers[name]
	return Reading{
		Value: f.value, Came: came,
		Repeated: came && r.repeated(name, f),
		Aliased:  r.aliased(name),
	}
}

func (r *model) HasAliases() bool { return len(r.aliases) > 0 }

func (r *model) aliased(name string) bool {
	alias := modelAlias(name)
	if alias != name {
		if _, plain := r.headers[alias]; plain {
			return true
		}
	}
	if r.aliases == nil {
		return false
	}
	for _, other := range r.aliases[alias] {
		if other != name {
			return true
		}
	}
	return false
}

func (r *model) repeated(name string, f modelFields) bool {
	form := forms[name]
	switch {
	case form == list:
		return false
	case f.count > 1:
		return true
	case !r.joined || form == text:
		return false
	case form == date: // "Sun, 06 Nov 1994 08:49:37 GMT"
		return strings.Count(f.value, ",") > 1
	}
	return strings.Contains(f.value, ",")
}

func (r *model) checkConnection() error {
	for _, name := range [...]string{"connection", "proxy-connection"} {
		err := r.checkOptions(name, name)
		for _, alias := range r.aliases[name] {
			if err == nil {
				err = r.checkOptions(name, alias)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *model) checkOptions(name, came string) error {
	f, ok := r.headers[came]
	if !ok {
		return nil
	}
	for option := range strings.SplitSeq(f.value, ",") {
		if !slices.Contains(connectionOptions, Lower(strings.Trim(option, " \t"))) {
			return modelBad("the %s header names more than upgrade, close, keep-alive, te and http2-settings", name)
		}
	}
	return nil
}

var modelOverrides = map[string]func(r *model, value string) bool{
	"x-forwarded-host": (*model).isHost,
	"x-host":           (*model).isHost,
	"x-original-host":  (*model).isHost,

	"x-original-url": (*model).isTarget,
	"x-rewrite-url":  (*model).isTarget,

	"x-http-method-override": (*model).isMethod,
	"x-http-method":          (*model).isMethod,
	"x-method-override":      (*model).isMethod,

	"forwarded": (*model).agreesForwarded,
}

func (r *model) Misleading() []string {
	var out []string
	for name, f := range r.headers {
		same := modelOverrides[modelAlias(name)]
		if same == nil {
			continue
		}
		agree := true
		for _, value := range f.values() {
			agree = agree && same(r, value)
		}
		if !agree {
			out = append(out, name)
		}
	}
	return out
}

func (f modelFields) values() []string {
	if f.each != nil {
		return f.each
	}
	return []string{f.value}
}

// isHost says whether each host of a list is the request's. Ports do not count.
func (r *model) isHost(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if host, err := modelParseHost(strings.Trim(one, " \t")); err != nil || host != r.Host {
			return false
		}
	}
	return true
}

func (r *model) isMethod(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if !EqualFold(strings.Trim(one, " \t"), r.Method) {
			return false
		}
	}
	return true
}

// isTarget compares with the path as sent, with the query or without it. A comma
// may join two fields.
func (r *model) isTarget(target string) bool {
	if r.joined && strings.Contains(target, ",") {
		return false
	}
	path, query, asked := strings.Cut(target, "?")
	return path == r.RawPath && (!asked || query == r.RawQuery)
}

// agreesForwarded says whether each host of a Forwarded field is the request's
// (RFC 7239 4). It looks for `host=` wherever a reader may find it, also where the
// grammar has none: in a quoted text, or behind one that does not end.
func (r *model) agreesForwarded(value string) bool {
	rest := Lower(value)
	for {
		i := strings.Index(rest, "host")
		if i < 0 {
			return true
		}
		inName := i > 0 && modelIsToken(rest[i-1])
		rest = rest[i+len("host"):]
		host, is := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
		if inName || !is {
			continue
		}
		if !r.isForwardedHost(strings.TrimLeft(host, " \t")) {
			return false
		}
	}
}

// isForwardedHost says whether a value begins with the request's host, as a token
// or quoted, and ends there.
func (r *model) isForwardedHost(value string) bool {
	end := strings.IndexAny(value, ";, \t")
	if quoted, is := strings.CutPrefix(value, `"`); is {
		i := strings.IndexByte(quoted, '"')
		if i < 0 {
			return false
		}
		value, end = quoted, i
		if next := strings.TrimLeft(quoted[i+1:], " \t"); next != "" && next[0] != ';' && next[0] != ',' {
			return false
		}
	}
	if end >= 0 {
		value = value[:end]
	}
	return r.isHost(value)
}
func modelReadPath(raw string) (path string, forms PathForms, readings []string, err error) {
	if raw == "" || raw[0] != '/' {
		return "", 0, nil, modelBad("the path does not start with '/'")
	}
	chars, err := modelDecodePath(raw)
	if err != nil {
		return "", 0, nil, err
	}
	path, forms, err = chars.segments()
	if err != nil || forms == 0 {
		return path, forms, nil, err
	}
	// What a reading consists of may have a form in its turn.
	for seen := PathForms(0); seen != forms; {
		seen, readings = forms, nil
		for as := PathForms(1); as <= forms; as++ {
			if as&^forms != 0 {
				continue
			}
			other, more, err := chars.as(as)
			if err != nil {
				return "", 0, nil, err
			}
			if forms |= more; other != raw && !slices.Contains(readings, other) {
				readings = append(readings, other)
			}
		}
	}
	return path, forms, readings, nil
}

func modelDecodePath(raw string) (chars, error) {
	out := make(chars, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '#':
			return nil, modelBad("the request target has a fragment")
		case c == '\\':
			return nil, modelBad("the path has a backslash")
		case c <= ' ' || c == 0x7f:
			return nil, modelBad("the path has a space or a control character")
		case c != '%':
			out = append(out, char{b: c})
			continue
		}
		d, ok := Unescape(raw[i:])
		switch {
		case !ok:
			return nil, modelBad("the path has a malformed percent-encoding")
		case d == '\\':
			return nil, modelBad("%s", EncodedSlash.problem())
		}
		out = append(out, char{b: d, slash: d == '/'})
		i += 2
	}
	return out, modelCheck(out)
}

func modelCheck(c chars) error {
	s := modelText(c)
	if !utf8.ValidString(s) {
		return modelBad("the decoded path is not UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return modelBad("the path has a control character")
	}
	return nil
}

func modelText(c chars) string {
	b := make([]byte, len(c))
	for i := range c {
		b[i] = c[i].b
	}
	return string(b)
}

func modelParseQuery(raw string) (Query, error) {
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f {
			return nil, modelBad("the query has a space or a control character")
		}
	}
	if raw == "" {
		return nil, nil
	}
	q := make(Query, 0, 1+strings.Count(raw, "&"))
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		q = append(q, modelParseParam(part))
		_, rest, more := strings.Cut(part, ";")
		for more {
			part, rest, more = strings.Cut(rest, ";")
			p := modelParseParam(part)
			p.Alternate = true
			q = append(q, p)
		}
	}
	return q, nil
}

func modelParseParam(part string) (p Param) {
	p.RawName, p.RawValue, _ = strings.Cut(part, "=")
	var ok bool
	if p.Name, ok = modelDecodeForm(p.RawName); !ok {
		p.Name = p.RawName
	}
	if p.Value, ok = modelDecodeForm(p.RawValue); !ok {
		p.Value, p.Malformed = p.RawValue, true
	}
	return p
}

func modelDecodeForm(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			d, ok := Unescape(s[i:])
			if !ok {
				return "", false
			}
			b = append(b, d)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), true
}
