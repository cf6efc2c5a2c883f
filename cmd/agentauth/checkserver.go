package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/certs"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
)

// serverFlags say how check asks a running server, as its proxy does.
type serverFlags struct {
	address               string
	cert, key, ca, expect string
}

func (f *serverFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "server", "", "ask the ext_authz server at HOST:PORT instead; in plaintext, unless one of the next four flags is there")
	flags.StringVar(&f.cert, "tls-cert", "", "with --server: the client certificate in PEM, as a proxy has one")
	flags.StringVar(&f.key, "tls-key", "", "with --server: its private key in PEM")
	flags.StringVar(&f.ca, "ca", "", "with --server: certificates in PEM that the server's must verify to (default: those of the system)")
	flags.StringVar(&f.expect, "server-name", "", "with --server: the name that the server's certificate must have (default: HOST)")
}

func (f *serverFlags) overTLS() bool { return f.cert+f.key+f.ca+f.expect != "" }

// check finds what is wrong with the flags by themselves.
func (f *serverFlags) check() error {
	switch {
	case f.address == "" && f.overTLS():
		return usage("--tls-cert, --tls-key, --ca and --server-name are for --server HOST:PORT, which is not given")
	case (f.cert == "") != (f.key == ""):
		return usage("--tls-cert and --tls-key go together: give both or neither")
	case f.address == "":
		return nil
	}
	if _, port, err := net.SplitHostPort(f.address); err != nil || port == "" {
		return usage("--server %s: expected HOST:PORT as in 127.0.0.1:9001", f.address)
	}
	return nil
}

// config is nil for plaintext.
func (f *serverFlags) config() (*tls.Config, error) {
	if !f.overTLS() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.expect}
	if f.ca != "" {
		data, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, usage("--ca: %v", err)
		}
		if config.RootCAs, err = certs.Pool(data); err != nil {
			return nil, usage("--ca %s: %v", f.ca, err)
		}
	}
	if f.cert != "" {
		for _, file := range [][2]string{{"--tls-cert", f.cert}, {"--tls-key", f.key}} {
			if _, err := os.Stat(file[1]); err != nil {
				return nil, usage("%s: %v", file[0], err)
			}
		}
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, usage("--tls-cert %s, --tls-key %s: %v", f.cert, f.key, err)
		}
		// Shown whatever authorities the server says that it takes: the server
		// then says what is wrong with it.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config, nil
}

func (f *serverFlags) ask(cmd *cobra.Command, raw authz.Raw) (authz.Decision, error) {
	config, err := f.config()
	if err != nil {
		return authz.Decision{}, err
	}
	d, err := extauthz.AskTLS(cmd.Context(), f.address, config, raw)
	if err != nil {
		return d, usage("--server %s: %s", f.address, f.explain(cmp.Or(f.refused(cmd.Context(), config), err)))
	}
	for i, h := range d.Set { // the answer does not say which of them is a token
		if mayHoldToken(h.Name) {
			d.Set[i].Value = "(not shown: it may be a token)"
		}
	}
	return d, nil
}

// mayHoldToken says whether a header for the upstream may be a policy's token by its
// name.
func mayHoldToken(name string) bool {
	return slices.ContainsFunc([]string{"authorization", "key", "secret", "token"}, func(part string) bool { return strings.Contains(name, part) })
}

// refused is what a server says about a connection that it closes; nil if it
// says nothing. grpc loses it: what it writes meets a closed connection first.
func (f *serverFlags) refused(ctx context.Context, config *tls.Config) error {
	if config == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", f.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// explain says what a failure to ask most likely means. What grpc says holds the
// text of the cause alone, not the cause.
func (f *serverFlags) explain(err error) string {
	text := err.Error()
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case has("first record does not look like a TLS handshake"):
		return "the server speaks plaintext; leave out --tls-cert, --tls-key, --ca and --server-name"
	case has("certificate required"):
		return "the server requires a client certificate; give --tls-cert and --tls-key, as its proxy has them"
	case has("x509: certificate is valid for"), has("x509: certificate is not valid for"), has("doesn't contain any IP SANs"):
		return "the server's certificate has another name; give one that it has as --server-name: " + cause(text)
	case has(x509.UnknownAuthorityError{}.Error()):
		return "the server's certificate is of no authority that is trusted here; give its authority as --ca"
	case f.overTLS() && has("remote error: tls:"):
		if f.cert == "" {
			return "the server refused the connection (" + cause(text) + "); does it require a client certificate? Give --tls-cert and --tls-key, as its proxy has them"
		}
		return "the server refused the client certificate (" + cause(text) + "): is it of its --client-ca, with one of its --client-name, and not ended? The server's log says why"
	case !f.overTLS() && (has("server preface") || has("connection reset") || has("broken pipe") || has("EOF")):
		return "the server closed the connection without an answer; does it speak TLS? Give --ca (and --tls-cert, --tls-key if it requires client certificates), and --server-name if its certificate has another name"
	case has("connect: "):
		_, after, _ := strings.Cut(text, "connect: ")
		return strings.Trim(after, `"`) + "; does agentauth serve run there, with this --grpc-address?"
	}
	return text
}

// cause is the innermost cause in the text of grpc.
func cause(text string) string {
	for _, part := range []string{"x509: ", "remote error: "} {
		if _, after, ok := strings.Cut(text, part); ok {
			return strings.TrimSuffix(strings.TrimPrefix(after, "tls: "), `"`)
		}
	}
	return text
}
