package authn

import "strings"

// otherAudience compares the audiences of a token with those of the policy.
func otherAudience(claim any, came, wanted []string) string {
	out := "aud is "
	switch v := claim.(type) {
	case nil:
		out += "absent"
	case string:
		out += Quote(v)
	default:
		out += "[" + QuoteList(came) + "]"
	}
	out += ", wanted one of: " + QuoteList(wanted)
	for _, c := range came[:min(len(came), maxListed)] {
		for _, w := range wanted {
			if d := difference(c, w); d != "" {
				return out + " (" + d + ")"
			}
		}
	}
	return out
}

// difference says in what little an issuer differs from the wanted one; "" for
// what is another issuer.
func difference(came, wanted string) string {
	a, b := splitIssuer(came), splitIssuer(wanted)
	if !strings.EqualFold(a.rest, b.rest) || a.rest == "" {
		return ""
	}
	var out []string
	for _, d := range []struct {
		differs bool
		what    string
	}{
		{a.space != b.space, "white space differs"},
		{a.scheme != b.scheme, "the scheme differs: " + orNone(a.scheme) + " and " + orNone(b.scheme)},
		{a.port != b.port, "the port differs"},
		{a.slash != b.slash, "a final slash differs"},
		{a.rest != b.rest, "letter case differs"},
	} {
		if d.differs {
			out = append(out, d.what)
		}
	}
	return strings.Join(out, ", ")
}

// issuer is an issuer in the parts that people confuse: rest is host and path
// without a port and a final slash.
type issuer struct {
	scheme, port, rest string
	space, slash       bool
}

func splitIssuer(s string) (out issuer) {
	trimmed := strings.TrimSpace(s)
	out.space = trimmed != s
	out.rest, out.slash = strings.CutSuffix(trimmed, "/")
	if scheme, rest, ok := strings.Cut(out.rest, "://"); ok {
		out.scheme, out.rest = scheme, rest
	}
	host, path, _ := strings.Cut(out.rest, "/")
	if name, port, ok := strings.Cut(host, ":"); ok {
		out.port = port
		out.rest = strings.TrimSuffix(name+"/"+path, "/")
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
