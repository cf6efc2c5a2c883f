package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/agentauth-dev/agentauth/authz"
)

// File is one file of cases.
type File struct {
	Name     string
	Policies string // manifests
	Cases    []Case
	// AllowUnmatched is set by the setting "unmatched allow" in the comment.
	AllowUnmatched bool
	// TrustPrincipal and TrustXFCC are set by "trust principal" and "trust xfcc".
	TrustPrincipal, TrustXFCC bool
}

// Case is one request and what is wanted of its decision.
type Case struct {
	Name string
	Line int
	Raw  authz.Raw
	Want []string
}

// Load reads every file of cases.
func Load(dir string) ([]File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var out []File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		f, err := Parse(filepath.Base(p), data)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// Parse reads one file.
func Parse(name string, data []byte) (File, error) {
	archive := txtar.Parse(data)
	f := File{Name: strings.TrimSuffix(name, ".txtar")}
	for line := range strings.Lines(string(archive.Comment)) {
		f.AllowUnmatched = f.AllowUnmatched || strings.TrimSpace(line) == "unmatched allow"
		f.TrustPrincipal = f.TrustPrincipal || strings.TrimSpace(line) == "trust principal"
		f.TrustXFCC = f.TrustXFCC || strings.TrimSpace(line) == "trust xfcc"
	}
	for _, part := range archive.Files {
		var err error
		switch part.Name {
		case "policies.yaml":
			f.Policies, err = Expand(string(part.Data))
		case "requests":
			f.Cases, err = parseRequests(string(part.Data))
		default:
			err = fmt.Errorf("unexpected part %q: expected policies.yaml and requests", part.Name)
		}
		if err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(f.Cases) == 0 {
		return f, fmt.Errorf("%s: no requests", name)
	}
	return f, nil
}

func parseRequests(text string) ([]Case, error) {
	var out []Case
	var c *Case
	for i, line := range strings.Split(text, "\n") {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("requests line %d: %s", i+1, fmt.Sprintf(format, args...))
		}
		switch {
		case strings.HasPrefix(line, "== "):
			out = append(out, Case{Name: strings.TrimPrefix(line, "== "), Line: i + 1})
			c = &out[len(out)-1]
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case c == nil:
			return nil, fail("expected \"== a sentence\" first")
		case strings.HasPrefix(line, "-> "):
			want, err := Expand(strings.TrimPrefix(line, "-> "))
			if err != nil {
				return nil, fail("%v", err)
			}
			c.Want = append(c.Want, want)
			continue
		}
		line, err := Expand(line)
		if err != nil {
			return nil, fail("%v", err)
		}
		switch {
		case c.Raw.Method == "":
			err = parseTarget(line, &c.Raw)
		case strings.HasPrefix(line, "@"):
			err = parseSetting(line[1:], &c.Raw)
		default:
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				err = fmt.Errorf("expected \"name: value\", got %q", line)
			}
			c.Raw.Headers = append(c.Raw.Headers, authz.Header{Name: name, Value: unquote(value)})
			// What a door knows of a body that nobody sent to it.
			c.Raw.BodyKnown = c.Raw.BodyKnown || name == "content-length" && value == "0"
		}
		if err != nil {
			return nil, fail("%v", err)
		}
	}
	for i := range out {
		if len(out[i].Want) == 0 {
			return nil, fmt.Errorf("requests line %d: case %q wants nothing", out[i].Line, out[i].Name)
		}
	}
	return out, nil
}

// parseTarget reads "METHOD scheme://host/path". Everything is taken as it is
// written; a quoted word is a Go string, for what cannot be written.
func parseTarget(line string, raw *authz.Raw) error {
	method, target, ok := strings.Cut(line, " ")
	scheme, rest, ok2 := strings.Cut(unquote(target), "://")
	if !ok || !ok2 {
		return fmt.Errorf("expected \"METHOD scheme://host/path\", got %q", line)
	}
	raw.Method, raw.Scheme, raw.TLS, raw.Time = unquote(method), scheme, scheme == "https", Now
	raw.Host, raw.Path = rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		raw.Host, raw.Path = rest[:i], rest[i:]
	}
	raw.Source = authz.Source{Address: "192.0.2.7"}
	return nil
}

// parseSetting reads one setting of a request that is no header.
func parseSetting(line string, raw *authz.Raw) error {
	name, value, _ := strings.Cut(line, " ")
	value = unquote(value)
	key, v, _ := strings.Cut(value, "=")
	switch name {
	case "context":
		if raw.ContextExtensions == nil {
			raw.ContextExtensions = map[string]string{}
		}
		raw.ContextExtensions[key] = v
	case "metadata": // namespace:key=value
		namespace, k, _ := strings.Cut(key, ":")
		metadata, _ := raw.Metadata.(authz.MetadataMap)
		if metadata == nil {
			metadata = authz.MetadataMap{}
			raw.Metadata = metadata
		}
		fields, _ := metadata[namespace].(map[string]any)
		if fields == nil {
			fields = map[string]any{}
		}
		fields[k] = v
		metadata[namespace] = fields
	case "mcp": // what Envoy's mcp filter read, in JSON
		var read map[string]any
		if err := json.Unmarshal([]byte(value), &read); err != nil {
			return err
		}
		raw.Metadata = authz.MetadataMap{"envoy.filters.http.mcp": read}
	case "route": // kind/namespace/name[/section]
		parts := append(strings.Split(value, "/"), "", "", "", "")
		raw.Route = &authz.RouteRef{Kind: parts[0], Namespace: parts[1], Name: parts[2], SectionName: parts[3]}
	case "source":
		raw.Source.Address = value
	case "principal":
		raw.Source.Principal = value
	case "certificate":
		raw.Source.Certificate = value
	case "id":
		raw.ID = value
	case "host":
		raw.Host = value
	case "path":
		raw.Path = value
	case "body":
		raw.Body, raw.BodyKnown = []byte(value), true
		raw.Headers = append(raw.Headers, authz.Header{Name: "content-length", Value: strconv.Itoa(len(raw.Body))})
	default:
		return fmt.Errorf("unknown setting @%s", name)
	}
	return nil
}

// unquote reads a Go string in quotes; other text is what it is.
func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		if u, err := strconv.Unquote(s); err == nil {
			return u
		}
	}
	return s
}
