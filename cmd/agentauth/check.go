package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/source"
)

type checkFlags struct {
	policies          string
	server            serverFlags
	method, user      string
	headers           []string
	body              string
	jwks, now, output string
	network, explain  bool
	unmatched, source string
	trustForwarded    bool
	trust             trustFlags
	cert              string
	pathCase          string
	egress            egressFlags
	compile           compileFlags
	cluster           checkedCluster
}

func checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check (--policies PATH | --server HOST:PORT | --kubeconfig FILE) URL",
		Short: "Decide one request",
		Long: `Decides one request with the very code that serves, and prints the decision.
Nothing is fetched without --network: a key set that is needed then makes the
decision one that cannot be taken, unless --jwks gives the keys.

Exit codes: 0 allowed, or answered by agentauth itself (metadata), 1 denied, 2
the command could not do its work, 3 it cannot be decided (what would be answered
503).`,
		Example: `  agentauth check --policies config/samples https://api.example.com/public/status
  agentauth check --policies config/samples -u alice:sample-password-of-alice --explain https://api.example.com/reports
  agentauth check --policies config/samples -H 'x-api-key: sample-api-key-of-the-warehouse-robot' -o json https://api.example.com/inventory`,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return usage("check needs a URL, as in https://orders.example.com/v1/orders")
			case 1:
				return nil
			}
			return usage("check takes one URL, came %d arguments; put each value that has spaces in quotes", len(args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.check(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policies, "policies", "", "directory of manifests, or a file")
	f.server.register(cmd)
	flags.StringVarP(&f.method, "request", "X", "", "method (default GET, with -d POST)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a header as 'NAME: VALUE', or @FILE with one a line (repeatable)")
	flags.StringVarP(&f.user, "user", "u", "", "USER:PASSWORD for HTTP Basic; without the password it is asked for")
	flags.StringVarP(&f.body, "data", "d", "", "body, or @FILE")
	flags.StringVar(&f.jwks, "jwks", "", "a JWK Set that stands for every set that would be fetched")
	flags.StringVar(&f.now, "now", "", "the time to decide at, as in 2027-01-31T00:00:00Z (default: now)")
	flags.BoolVar(&f.network, "network", false, "fetch keys, and ask about opaque tokens and for tokens for upstreams")
	flags.BoolVar(&f.explain, "explain", false, "add every step that was taken")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.StringVar(&f.unmatched, "unmatched", "deny", "as for serve: deny, or allow-unauthenticated")
	trustForwardedFlag(cmd, &f.trustForwarded)
	f.trust.register(cmd)
	pathCaseFlag(cmd, &f.pathCase)
	flags.StringVar(&f.source, "source", "127.0.0.1", "the IP address of the caller")
	flags.StringVar(&f.cert, "cert", "", "the client certificate of the connection in PEM, as the proxy passes it on, and its name as the principal")
	f.egress.register(cmd)
	f.compile.register(cmd)
	f.cluster.register(cmd)
	oneOf(cmd, "output", "text", "json")
	oneOf(cmd, "unmatched", "deny", "allow-unauthenticated")
	oneOf(cmd, "request", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
	return cmd
}

// together finds flags of which one is missing or too many.
func (f *checkFlags) together() error {
	given := 0
	for _, where := range []string{f.policies, f.server.address, f.cluster.kubeconfig} {
		if where != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return usage("where are the policies? Give --policies DIR, --server HOST:PORT or --kubeconfig FILE")
	case given > 1:
		return usage("--policies, --server and --kubeconfig say where the decision comes from: give one of them")
	case f.server.address != "" && (f.jwks != "" || f.network):
		return usage("--jwks and --network are for --policies: with --server, the server has its own keys")
	case f.jwks != "" && f.network:
		return usage("--jwks and --network do not go together: keys are given or fetched")
	}
	if err := f.cluster.check(); err != nil {
		return err
	}
	return f.server.check()
}

func (f *checkFlags) check(cmd *cobra.Command, target string) error {
	if f.output != "text" && f.output != "json" {
		return usage("-o %q: expected text or json", f.output)
	}
	if _, err := exactCase(f.pathCase); err != nil {
		return err
	}
	if f.unmatched != "deny" && f.unmatched != "allow-unauthenticated" {
		return usage("--unmatched %q: expected deny or allow-unauthenticated", f.unmatched)
	}
	if err := f.together(); err != nil {
		return err
	}
	raw, err := f.request(cmd, target)
	if err != nil {
		return err
	}
	var d authz.Decision
	var steps []authz.Step
	if f.server.address != "" && f.explain {
		if d, steps, err = f.server.askExplained(cmd, raw); err != nil {
			return err
		}
	} else if f.server.address != "" {
		if d, err = f.server.ask(cmd, raw); err != nil {
			return err
		}
	} else if d, steps, err = f.decide(cmd, raw); err != nil {
		return err
	}
	if f.output == "json" {
		err = printJSON(cmd.OutOrStdout(), &d, steps)
	} else {
		err = printText(cmd.OutOrStdout(), &d, steps)
	}
	if err != nil {
		return usage("cannot write the decision: %v", err)
	}
	switch {
	case d.Outcome == authz.Allow, d.Outcome == authz.Respond && d.Status < 400:
		return nil
	case d.Outcome == authz.Error:
		return exit{code: exitUnknown}
	default:
		return exit{code: exitDenied}
	}
}

// decide compiles the directory and decides with what serves.
func (f *checkFlags) decide(cmd *cobra.Command, raw authz.Raw) (authz.Decision, []authz.Step, error) {
	remote, done, err := f.remote()
	if err != nil {
		return authz.Decision{}, nil, err
	}
	defer done()
	options, err := f.compile.options()
	if err != nil {
		return authz.Decision{}, nil, err
	}
	options.AllowUnmatched, options.TrustForwarded = f.unmatched == "allow-unauthenticated", f.trustForwarded
	f.trust.add(&options)
	options.ExactCase = f.pathCase == "exact"
	options.OneTenant = options.OneTenant && !f.cluster.given()
	kernel := engine.New(dependencies(remote, nil), options)
	defer kernel.Close()
	snapshot, err := f.snapshot(cmd, kernel)
	if err != nil {
		return authz.Decision{}, nil, err
	}
	kernel.Swap(snapshot)
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	kernel.Wait(ctx) // longer than a request waits for keys
	d, steps := kernel.Explain(ctx, raw)
	d.Detail = ownersDetail(&d, steps[:shadowAt(steps)])
	if d.Shadow != nil {
		d.Shadow.Detail = ownersDetail(d.Shadow, steps[shadowAt(steps):])
	}
	if !f.explain {
		steps = nil
	}
	return d, steps, nil
}

// snapshot compiles a directory, which must be valid, or what a cluster has. It
// prints what is wrong.
func (f *checkFlags) snapshot(cmd *cobra.Command, kernel *engine.Engine) (s *engine.Snapshot, err error) {
	var problems []authz.Problem
	valid := true
	if f.cluster.given() {
		if s, _, problems, err = f.cluster.compile(cmd.Context(), kernel, len(f.compile.gatewayClasses) > 0); err != nil {
			return nil, err
		}
	} else {
		if _, err := os.Stat(f.policies); err != nil {
			return nil, usage("--policies: %v", err)
		}
		tree, read := policydir.Load(f.policies)
		s, problems, valid = source.Compile(kernel, tree, read)
	}
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), problemLine(p))
	}
	if !valid {
		return nil, usage("%s is not valid: nothing was decided", f.policies)
	}
	return s, nil
}

// request makes of the flags what a proxy would have sent.
func (f *checkFlags) request(cmd *cobra.Command, target string) (authz.Raw, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return authz.Raw{}, usage("expected a URL as in https://orders.example.com/v1/orders, without a user")
	}
	raw := authz.Raw{
		Method: f.method, Scheme: u.Scheme, Host: u.Host, TLS: u.Scheme == "https", Time: time.Now(),
		// As typed: a path is decided as it was sent.
		Path: target[strings.Index(target, "://")+3+len(u.Host):],
	}
	address, err := netip.ParseAddr(f.source)
	if err != nil || address.Zone() != "" {
		return raw, usage("--source %q: expected an IP address as in 192.0.2.7 or 2001:db8::7", f.source)
	}
	raw.Source.Address = address.String()
	if !strings.HasPrefix(raw.Path, "/") {
		raw.Path = "/" + raw.Path
	}
	if f.now != "" {
		if raw.Time, err = time.Parse(time.RFC3339, f.now); err != nil {
			return raw, usage("--now %q: expected a time as in 2027-01-31T00:00:00Z (RFC 3339)", f.now)
		}
	}
	if err := f.readCertificate(&raw); err != nil {
		return raw, err
	}
	if err := f.readHeaders(&raw); err != nil {
		return raw, err
	}
	if err := f.readUser(cmd, &raw); err != nil {
		return raw, err
	}
	return raw, f.readBody(&raw, cmd.Flags().Changed("data"))
}

func (f *checkFlags) readHeaders(raw *authz.Raw) error {
	for _, h := range f.headers {
		file, isFile := strings.CutPrefix(h, "@")
		if !isFile {
			if err := readHeader(raw, h, "-H"); err != nil {
				return err
			}
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return usage("-H @FILE: %v", err)
		}
		for i, line := range strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") {
			if line == "" {
				continue
			}
			if err := readHeader(raw, line, fmt.Sprintf("-H @%s, line %d", file, i+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readHeader adds a header. No message holds what it may be: a credential.
func readHeader(raw *authz.Raw, line, from string) error {
	name, value, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return usage("%s: expected 'NAME: VALUE', and there is no colon", from)
	case name == "":
		return usage("%s: expected 'NAME: VALUE', and nothing is before the colon", from)
	case !authz.ValidFieldName(name):
		return usage("%s: expected 'NAME: VALUE', and what is before the colon is no name: letters, digits and '-', without spaces", from)
	case strings.EqualFold(name, "host"):
		raw.Host = strings.TrimSpace(value)
		return nil
	}
	raw.Headers = append(raw.Headers, authz.Header{Name: name, Value: strings.Trim(value, " \t")})
	return nil
}

func (f *checkFlags) readUser(cmd *cobra.Command, raw *authz.Raw) error {
	if f.user == "" {
		return nil
	}
	credential := f.user
	if !strings.Contains(credential, ":") {
		secret, err := readSecret(cmd, "password")
		if err != nil {
			return err
		}
		if len(secret) == 0 {
			return usage("-u %s: expected USER:PASSWORD, or the password on the standard input, and nothing came", f.user)
		}
		credential += ":" + string(secret)
	}
	raw.Headers = append(raw.Headers, authz.Header{Name: "authorization",
		Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(credential))})
	return nil
}

// readBody reads the body, if one is given: without -d it is as unknown as that of a
// request whose length nobody states.
func (f *checkFlags) readBody(raw *authz.Raw, given bool) error {
	raw.BodyKnown = given || slices.ContainsFunc(raw.Headers, func(h authz.Header) bool {
		return authz.EqualFold(h.Name, "content-length") && h.Value == "0"
	})
	if raw.Method == "" {
		raw.Method = "GET"
		if given {
			raw.Method = "POST"
		}
	}
	if !given {
		return nil
	}
	raw.Body = []byte(f.body)
	if file, ok := strings.CutPrefix(f.body, "@"); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return usage("-d @FILE: %v", err)
		}
		raw.Body = data
	}
	raw.Headers = append(raw.Headers, authz.Header{Name: "content-length", Value: strconv.Itoa(len(raw.Body))})
	return nil
}
