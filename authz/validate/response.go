package validate

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

var (
	metadataKey = regexp.MustCompile(`^[a-zA-Z0-9_][-._a-zA-Z0-9]{0,62}$`)
	headerValue = text{0, 4096, regexp.MustCompile(`^([!-~]([ \t!-~]*[!-~])?)?$`),
		"a header value: visible ASCII characters, with spaces and tabs between them"}
)

func (f *findings) response(at *field.Path, r *v1alpha1.Response) {
	if r.Upstream != nil {
		f.upstream(at.Child("upstream"), r.Upstream)
	}
	metadata := at.Child("metadata")
	f.count(metadata, len(r.Metadata), 0, 16)
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
		if !metadataKey.MatchString(k) {
			f.invalid(metadata, "a metadata key has 1 to 63 letters, digits, '-', '.' or '_' and does not start with '-' or '.', got %s", brief(k))
		}
		expression.check(f, metadata.Key(k), string(r.Metadata[k]))
	}
	f.denial(at.Child("unauthenticated"), r.Unauthenticated)
	f.denial(at.Child("unauthorized"), r.Unauthorized)
}

func (f *findings) upstream(at *field.Path, u *v1alpha1.Upstream) {
	oneOf(f, at.Child("credentials"), u.Credentials, v1alpha1.Strip, v1alpha1.Forward)
	if u.Token != nil {
		f.token(at, u)
	}
	at = at.Child("headers")
	f.count(at, len(u.Headers), 0, 16)
	headers := upTo(u.Headers, 16)
	for i, h := range headers {
		f.upstreamHeader(at.Index(i).Child("name"), h.Name)
		expression.check(f, at.Index(i).Child("value"), string(h.Value))
	}
	if !uniqueHeaders(f, at, headers, func(h v1alpha1.UpstreamHeader) string { return h.Name }) {
		return
	}
	// What differs only in punctuation is one variable to some upstreams.
	unique(headers, func(h v1alpha1.UpstreamHeader) string { return authz.Alias(h.Name) }, func(i int, _ string) {
		f.add(field.ErrorTypeDuplicate, at.Index(i).Child("name"),
			"expected names that differ in more than punctuation, got %s beside another: some upstreams take them for one", brief(headers[i].Name))
	})
}

var (
	notForUpstream = []string{"host", "cookie", "keep-alive", "proxy-connection"}
	notForDenials  = []string{"www-authenticate", "keep-alive", "proxy-connection"}
)

func (f *findings) denial(at *field.Path, d *v1alpha1.Denial) {
	if d == nil {
		return
	}
	if d.Status != 0 && (d.Status < 400 || d.Status > 599) {
		f.invalid(at.Child("status"), "expected a status of 400 to 599, got %d", d.Status)
	}
	if d.Body != nil {
		if n := utf8.RuneCountInString(*d.Body); n > 16384 {
			f.add(field.ErrorTypeTooLong, at.Child("body"), "expected at most 16384 characters, got %d", n)
		}
	}
	at = at.Child("headers")
	f.count(at, len(d.Headers), 0, 16)
	headers := upTo(d.Headers, 16)
	for i, h := range headers {
		at := at.Index(i)
		fieldName.check(f, at.Child("name"), h.Name)
		lower := strings.ToLower(h.Name)
		if slices.Contains(hopByHop, lower) || slices.Contains(notForDenials, lower) {
			f.invalid(at.Child("name"), "this header belongs to HTTP or is written by agentauth and cannot be set, got %s", brief(h.Name))
		}
		headerValue.check(f, at.Child("value"), h.Value)
	}
	uniqueHeaders(f, at, headers, func(h v1alpha1.DenialHeader) string { return h.Name })
}

// uniqueHeaders reports names that are equal but for letter case, and returns
// whether there are none.
func uniqueHeaders[H any](f *findings, at *field.Path, list []H, name func(H) string) bool {
	before := len(f.errs)
	unique(list, func(h H) string { return strings.ToLower(name(h)) }, func(_ int, key string) {
		f.add(field.ErrorTypeDuplicate, at, "names must be unique, without regard to letter case, got %s twice", brief(key))
	})
	return len(f.errs) == before
}
