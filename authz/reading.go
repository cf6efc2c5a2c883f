package authz

import "strings"

// Reading is what the readers of a request may find under the name of a header.
// They agree on it unless it is [Reading.Undecided].
type Reading struct {
	// Value is that of the field, or of all fields joined by a comma (cookie: by
	// "; ").
	Value string
	// Came: a field of this very name came.
	Came bool
	// Repeated: more than one came, and the name is not that of a list. A reader
	// may take the first, the last or all, also where the values are equal.
	Repeated bool
	// Aliased: a field came under another name of the same [Alias], so some
	// readers take its value, or join both.
	Aliased bool
}

// Undecided says whether the value depends on the reader. Whether there is any
// depends on it too where the field did not come under its own name.
func (f Reading) Undecided() bool { return f.Repeated || f.Aliased }

// Read returns what came under the name of a header, in lower case.
func (r *Request) Read(name string) Reading {
	f := r.fields.find(name)
	if f == nil {
		return Reading{Aliased: r.aliased(name)}
	}
	return Reading{Value: f.value, Came: true, Repeated: r.repeated(f), Aliased: r.HasAliases() && r.aliased(name)}
}

func (r *Request) repeated(f *field) bool {
	if f.count == 1 && !(r.joined && strings.IndexByte(f.value, ',') >= 0) {
		return false
	}
	form := forms[f.name]
	switch {
	case form == list:
		return false
	case f.count > 1:
		return true
	case form == text:
		return false
	case form == date: // "Sun, 06 Nov 1994 08:49:37 GMT"
		return strings.Count(f.value, ",") > 1
	}
	return true
}

// form is what a comma means in the fields of a name.
type form uint8

const (
	// Zero: fields that have no comma of their own, so that one comes from joining only.
	_ form = iota
	// list fields are lists by their definition: several fields are one longer
	// list, and everybody joins them (RFC 9110 5.3).
	list
	// date fields have one comma.
	date
	// text fields have commas of their own, so joined fields cannot be told from
	// one.
	text
)

// forms are the fields that are not single. A field that is not listed, as all of
// an application's own, is single.
var forms = map[string]form{
	"accept":                         list, // RFC 9110 12.5.1
	"accept-charset":                 list, // RFC 9110 12.5.2
	"accept-encoding":                list, // RFC 9110 12.5.3
	"accept-language":                list, // RFC 9110 12.5.4
	"accept-signature":               list, // RFC 9421 5.1
	"access-control-request-headers": list, // Fetch 3.3.2
	"allow":                          list, // RFC 9110 10.2.1
	"baggage":                        list, // W3C Baggage 3.3.1
	"cache-control":                  list, // RFC 9111 5.2
	"cdn-loop":                       list, // RFC 8586 2
	"client-cert-chain":              list, // RFC 9440 2.3
	"connection":                     list, // RFC 9110 7.6.1
	"content-digest":                 list, // RFC 9530 2
	"content-encoding":               list, // RFC 9110 8.4
	"content-language":               list, // RFC 9110 8.5
	"cookie":                         list, // RFC 6265 4.2, RFC 9113 8.2.3: joined by "; "
	"digest":                         list, // RFC 3230 4.3.2
	"expect":                         list, // RFC 9110 10.1.1
	"forwarded":                      list, // RFC 7239 4
	"grpc-accept-encoding":           list, // gRPC over HTTP2
	"if-match":                       list, // RFC 9110 13.1.1
	"if-none-match":                  list, // RFC 9110 13.1.2
	"link":                           list, // RFC 8288 3
	"pragma":                         list, // RFC 9111 5.4
	"prefer":                         list, // RFC 7240 2
	"priority":                       list, // RFC 9218 5
	"repr-digest":                    list, // RFC 9530 3
	"sec-ch-ua":                      list, // UA Client Hints 3.1
	"sec-ch-ua-full-version-list":    list, // UA Client Hints 3.4
	"sec-websocket-extensions":       list, // RFC 6455 11.3.2
	"sec-websocket-protocol":         list, // RFC 6455 11.3.4
	"signature":                      list, // RFC 9421 4.2
	"signature-input":                list, // RFC 9421 4.1
	"te":                             list, // RFC 9110 10.1.4
	"tracestate":                     list, // W3C Trace Context 3.3
	"trailer":                        list, // RFC 9110 6.6.2
	"transfer-encoding":              list, // RFC 9112 6.1
	"upgrade":                        list, // RFC 9110 7.8
	"vary":                           list, // RFC 9110 12.5.5
	"via":                            list, // RFC 9110 7.6.3
	"want-content-digest":            list, // RFC 9530 4
	"want-repr-digest":               list, // RFC 9530 4
	"warning":                        list, // RFC 7234 5.5
	"x-forwarded-client-cert":        list, // Envoy: an element for each proxy
	"x-forwarded-for":                list, // an address for each proxy

	"date":                date, // RFC 9110 6.6.1
	"if-modified-since":   date, // RFC 9110 13.1.3
	"if-unmodified-since": date, // RFC 9110 13.1.4
	"last-modified":       date, // RFC 9110 8.8.2
	"expires":             date, // RFC 9111 5.3

	"authorization":       text, // RFC 9110 11.6.2: parameters, as of Digest
	"content-disposition": text, // RFC 6266 4.1: a file's name
	"content-location":    text, // RFC 9110 8.7: a URI
	"destination":         text, // RFC 4918 10.3: a URI
	"from":                text, // RFC 9110 10.1.2
	"if":                  text, // RFC 4918 10.4
	"if-range":            text, // RFC 9110 13.1.5: a date or an entity tag
	"proxy-authorization": text, // RFC 9110 11.7.2
	"range":               text, // RFC 9110 14.2
	"referer":             text, // RFC 9110 10.1.3: a URI
	"set-cookie":          text, // RFC 6265 4.1: a date
	"user-agent":          text, // RFC 9110 10.1.5: comments
}
