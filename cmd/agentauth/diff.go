package main

import (
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// diffFlags say what is compared.
type diffFlags struct {
	policies         []string
	requests, output string
	strict           bool
	unmatched        string
	pathCase         string
	compile          compileFlags
}

func diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff --policies BEFORE AFTER --requests FILE",
		Short: "Say which recorded requests are decided otherwise",
		Long: `Decides the requests of an audit log anew, with the policies of two directories,
and says which decisions change. Each request has the identity that was recorded:
no credential is in an audit log, and none is checked. What depends on a part of
a request that was not recorded (a header, the body) is not guessed: such requests
are counted, with the cause.

Exit codes: 0 nothing changes, 1 something changes, 2 the command could not do its
work, 3 not one request could be compared, or, with --strict, one could not.`,
		Example: `  agentauth diff --policies before after --requests audit.jsonl
  agentauth diff --policies before --policies after --requests audit.jsonl -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.policies = append(f.policies, args...)
			return f.diff(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.policies, "policies", nil, "directory of manifests, or a file; twice, or with the second one as the argument")
	flags.StringVar(&f.requests, "requests", "", "audit log of requests, one JSON object a line; - is the standard input")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.BoolVar(&f.strict, "strict", false, "exit 3 if nothing changes and some request could not be compared")
	flags.StringVar(&f.unmatched, "unmatched", "deny", "as for serve: deny, or allow-unauthenticated")
	pathCaseFlag(cmd, &f.pathCase)
	f.compile.register(cmd)
	oneOf(cmd, "output", "text", "json")
	oneOf(cmd, "unmatched", "deny", "allow-unauthenticated")
	return cmd
}

func (f *diffFlags) check() error {
	switch {
	case len(f.policies) != 2:
		return usage("diff compares two sets of policies: expected --policies BEFORE AFTER, got %d", len(f.policies))
	case f.requests == "":
		return usage("which requests? Give --requests FILE, an audit log of agentauth, or - for the standard input")
	case f.output != "text" && f.output != "json":
		return usage("-o %q: expected text or json", f.output)
	case f.unmatched != "deny" && f.unmatched != "allow-unauthenticated":
		return usage("--unmatched %q: expected deny or allow-unauthenticated", f.unmatched)
	}
	return nil
}

func (f *diffFlags) diff(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	var sides [2]*side
	for i, path := range f.policies {
		s, err := f.side(cmd, path)
		if err != nil {
			return err
		}
		defer s.kernel.Close()
		sides[i] = s
	}
	requests, done, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer done()
	c := &comparison{before: sides[0], after: sides[1]}
	if err := c.read(cmd.Context(), requests); err != nil {
		return usage("--requests %s: %v", f.requests, err)
	}
	if c.missing > 0 {
		c.note("%d records are missing in the audit log, which says so", c.missing)
	}
	if c.requests == 0 {
		c.note("no record of the audit log is a decision, so nothing was compared")
	}
	c.noteObjects()
	if err := c.print(cmd.OutOrStdout(), f.output); err != nil {
		return usage("cannot write the differences: %v", err)
	}
	switch {
	case c.changed > 0:
		return exit{code: exitDenied}
	case c.unchanged == 0 || c.unknown > 0 && f.strict:
		return exit{code: exitUnknown}
	}
	return nil
}

// open opens the audit log.
func (f *diffFlags) open(cmd *cobra.Command) (r io.Reader, done func(), err error) {
	if f.requests == "-" {
		return cmd.InOrStdin(), func() {}, nil
	}
	file, err := os.Open(f.requests)
	if err != nil {
		return nil, nil, usage("--requests: %v", err)
	}
	return file, func() { _ = file.Close() }, nil
}

// side is one of the two sets of policies.
type side struct {
	path     string
	kernel   *engine.Engine
	policies map[string]*v1alpha1.AgentAuthPolicy
	objects  map[string]any
}

// side compiles a directory, which must be valid.
func (f *diffFlags) side(cmd *cobra.Command, path string) (*side, error) {
	options, err := f.compile.options()
	if err != nil {
		return nil, err
	}
	options.AllowUnmatched = f.unmatched == "allow-unauthenticated"
	// What proxies were believed was decided when the record was made.
	options.TrustPrincipal, options.TrustXFCC, options.TrustMCPMetadata = true, true, true
	if options.ExactCase, err = exactCase(f.pathCase); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, usage("--policies: %v", err)
	}
	tree, read := policydir.Load(path)
	kernel := engine.New(dependencies(offline(noKeys{}), nil), options)
	snapshot, problems, valid := source.Compile(kernel, tree, read)
	if !valid {
		kernel.Close()
		for _, p := range problems {
			fmt.Fprintln(cmd.ErrOrStderr(), problemLine(p))
		}
		return nil, usage("%s is not valid: nothing was compared", path)
	}
	kernel.Swap(snapshot)
	s := &side{path: path, kernel: kernel, policies: map[string]*v1alpha1.AgentAuthPolicy{}, objects: map[string]any{}}
	for _, p := range tree.Input.Policies {
		p = validate.Default(p)
		s.policies[types.NamespacedName{Namespace: p.Namespace, Name: p.Name}.String()] = p
	}
	for _, o := range tree.Input.Secrets {
		s.objects["Secret "+o.Namespace+"/"+o.Name] = o
	}
	for _, o := range tree.Input.ConfigMaps {
		s.objects["ConfigMap "+o.Namespace+"/"+o.Name] = o
	}
	for _, o := range tree.Input.ReferenceGrants {
		s.objects["ReferenceGrant "+o.Namespace+"/"+o.Name] = o
	}
	return s, nil
}

// noteObjects says of Secrets, ConfigMaps and grants that differ: what becomes of a
// credential is not in a record.
func (c *comparison) noteObjects() {
	differ := 0
	for name, o := range c.before.objects {
		if !reflect.DeepEqual(o, c.after.objects[name]) {
			differ++
		}
	}
	for name := range c.after.objects {
		if c.before.objects[name] == nil {
			differ++
		}
	}
	if differ > 0 {
		c.note("%d Secrets, ConfigMaps and ReferenceGrants differ; whether a recorded credential would still be accepted is not told", differ)
	}
}
