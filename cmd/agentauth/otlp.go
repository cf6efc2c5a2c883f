package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"golang.org/x/net/http/httpguts"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/certs"
)

// otlpFlags are two flags that say where a collector is: the endpoint, and that it is
// asked without TLS.
type otlpFlags struct {
	endpoint, insecure string // their names
}

// collector reads the endpoint: HOST:PORT, http://HOST:PORT or https://HOST:PORT. No
// error repeats what may be a password.
func (f otlpFlags) collector(endpoint string, insecure bool) (host string, plain bool, err error) {
	host, plain = endpoint, insecure
	if strings.Contains(host, "://") {
		u, err := url.Parse(host)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			return "", false, usage("%s: expected HOST:PORT, or a URL as in https://collector.example.com:4317 with nothing behind the port and no user", f.endpoint)
		case u.Scheme == "https" && insecure:
			return "", false, usage("%s is https and %s says without TLS: leave one of them out", f.endpoint, f.insecure)
		}
		if host, plain = u.Host, u.Scheme == "http"; u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), "4317")
		}
	}
	if name, port, err := net.SplitHostPort(host); err != nil || name == "" || port == "" || strings.ContainsAny(host, "@/ ") {
		return "", false, usage("%s: expected HOST:PORT as in collector.example.com:4317, or a URL", f.endpoint)
	}
	return host, plain, nil
}

// otlpVariable is a variable of OpenTelemetry for logs, else the one for all signals.
func otlpVariable(name string) (variable, value string) {
	for _, variable = range []string{"OTEL_EXPORTER_OTLP_LOGS_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if value = os.Getenv(variable); value != "" {
			return variable, value
		}
	}
	return variable, ""
}

// otlpHeaders says whether the exporter can read the headers of the environment. It would
// go on without them, and write them into an error.
func otlpHeaders() error {
	variable, value := otlpVariable("HEADERS")
	if value == "" {
		return nil
	}
	for header := range strings.SplitSeq(value, ",") {
		name, text, found := strings.Cut(header, "=")
		text, err := url.PathUnescape(text)
		if !found || err != nil || !httpguts.ValidHeaderFieldName(strings.TrimSpace(name)) || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return usage("%s: expected NAME=VALUE, several of them with a comma between, and values percent-encoded as in Bearer%%20TOKEN; its text is not repeated here", variable)
		}
	}
	return nil
}

// otlpCompression says whether the exporter knows the compression of the environment. It
// would go on with none.
func otlpCompression() error {
	if variable, value := otlpVariable("COMPRESSION"); value != "" && value != "gzip" && value != "none" {
		return usage("%s %q: expected gzip or none", variable, authz.Cut(value, 64))
	}
	return nil
}

// otlpErrors has the library say which variables it cannot read; other errors are for
// other, and nil is nobody.
func otlpErrors(log *slog.Logger, other func(error)) {
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if !unread(log, err) && other != nil {
			other(err)
		}
	}))
}

// unread logs a variable that the library cannot read. Its error repeats the text, and
// that of an endpoint which nobody asked for may have a password.
func unread(log *slog.Logger, err error) bool {
	const said = "a variable cannot be read and is left out; its text is not repeated here"
	text := err.Error()
	if strings.HasPrefix(text, "partial resource") {
		log.Warn(said, "variable", "OTEL_RESOURCE_ATTRIBUTES")
		return true
	}
	text, is := strings.CutPrefix(text, "invalid OTEL_")
	if name, _, named := strings.Cut(text, " "); is && named {
		log.Warn(said, "variable", "OTEL_"+name)
	}
	return is
}

// otlpTLS is how a collector is verified: by the authorities of the environment, else by
// the system's; and how agentauth shows who it is, if the environment says so.
func otlpTLS() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if variable, path := otlpVariable("CERTIFICATE"); path != "" {
		data, err := os.ReadFile(path) // #nosec G304,G703 -- the operator names it
		if err != nil {
			return nil, usage("%s: %v", variable, err)
		}
		if c.RootCAs, err = certs.Pool(data); err != nil {
			return nil, usage("%s: %v", variable, err)
		}
	}
	variable, cert := otlpVariable("CLIENT_CERTIFICATE")
	keyVariable, key := otlpVariable("CLIENT_KEY")
	if cert == "" && key == "" {
		return c, nil
	}
	if cert == "" || key == "" {
		return nil, usage("%s, %s: expected a certificate and its key, both, and one of them is not set", variable, keyVariable)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, usage("%s, %s: expected a certificate and its key, both: %v", variable, keyVariable, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
