package authn

import "strings"

// webSocket is the one header of a handshake that a browser lets a page write
// (RFC 6455 4.1): a list of subprotocols, in which the entry behind the scheme is
// the credential. "bearer, TOKEN, graphql-ws" has one.
const webSocket = "sec-websocket-protocol"

// ReadsList says that the credential is an entry of a list. The other entries are
// no credentials, and the upstream needs them.
func (p Place) ReadsList() bool {
	return p.In == InHeader && p.Name == webSocket && p.Scheme != ""
}

func readList(value string, p Place) (*Presented, bool, error) {
	entries := split(value)
	at := -1
	for i, e := range entries {
		switch {
		case !strings.EqualFold(e, p.Scheme):
		case at >= 0:
			return nil, true, twice(p)
		default:
			at = i
		}
	}
	switch {
	case at < 0:
		return nil, false, nil
	case at+1 == len(entries):
		return &Presented{Place: p, Malformed: "no entry follows the scheme in the list: expected " + p.Scheme + ", CREDENTIAL"}, true, nil
	}
	found := &Presented{Place: p, Value: entries[at+1]}
	if strings.ContainsAny(found.Value, " \t") {
		found.Malformed = "there is white space in the credential"
	}
	return found, true, nil
}

// WithoutCredential is a list without the entry that the place reads.
func (p Place) WithoutCredential(list string) string {
	var kept []string
	credential := false
	for _, e := range split(list) {
		if !credential {
			kept = append(kept, e)
		}
		credential = !credential && strings.EqualFold(e, p.Scheme)
	}
	return strings.Join(kept, ", ")
}

// split is the entries of a list (RFC 9110 5.6.1).
func split(list string) (entries []string) {
	for e := range strings.SplitSeq(list, ",") {
		if e = strings.Trim(e, " \t"); e != "" {
			entries = append(entries, e)
		}
	}
	return entries
}
