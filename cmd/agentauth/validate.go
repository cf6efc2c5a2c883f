package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
)

type validateFlags struct {
	output                              string
	otherKinds, allowUnresolved, strict bool
	compile                             compileFlags
	network                             networkFlags
	cluster                             checkedCluster
}

func validateCommand() *cobra.Command {
	var f validateFlags
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Find what is wrong in manifests",
		Long: `Reads manifests as serve does, compiles them, and prints everything that is
wrong: where, what was expected, what came and what to do. A PATH is a file, a
directory, or - for the standard input. With --kubeconfig the manifests are those
of a cluster.

Exit codes: 0 nothing is wrong (there may be warnings, unless --strict), 1
something is, 2 nothing was read.`,
		Example: `  agentauth validate config/samples
  agentauth validate -o json policy.yaml secrets.yaml
  cat config/samples/any-of.yaml | agentauth validate --allow-unresolved -
  agentauth validate --ignore-other-kinds --allow-unresolved --strict config`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !f.cluster.given() {
				return usage("validate needs a PATH: a file, a directory, or - for the standard input")
			}
			return nil
		},
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "text", "text, json for editors, or sarif for CI")
	flags.BoolVar(&f.otherKinds, "ignore-other-kinds", false, "the files hold manifests for others too: ignore those of unknown groups and those without a kind")
	flags.BoolVar(&f.allowUnresolved, "allow-unresolved", false, "let Secrets, ConfigMaps and targets be elsewhere that are not in the files")
	flags.BoolVar(&f.strict, "strict", false, "a warning is an error (exit code 1)")
	f.compile.register(cmd)
	f.network.register(cmd)
	f.cluster.register(cmd)
	oneOf(cmd, "output", "text", "json", "sarif")
	return cmd
}

func (f *validateFlags) run(cmd *cobra.Command, paths []string) error {
	if !slices.Contains([]string{"text", "json", "sarif"}, f.output) {
		return usage("-o %q: expected text, json or sarif", f.output)
	}
	options, err := f.compile.options()
	if err != nil {
		return err
	}
	if err := f.cluster.check(); err != nil {
		return err
	}
	if f.cluster.given() {
		options.OneTenant = false
	}
	options.TrustPrincipal, options.TrustXFCC = true, true // what the operator says is not known here
	kernel, done, err := f.network.kernel(options)
	if err != nil {
		return err
	}
	defer done()
	if f.cluster.given() {
		if len(paths) > 0 {
			return usage("validate takes PATHs or --kubeconfig, and got both")
		}
		snapshot, in, problems, err := f.cluster.compile(cmd.Context(), kernel, len(f.compile.gatewayClasses) > 0)
		if err != nil {
			return err
		}
		return f.report(cmd, problems, 0, read{objects: countInput(in), keys: snapshot.Found()})
	}
	return f.files(cmd, kernel, paths)
}

// files validates manifests.
func (f *validateFlags) files(cmd *cobra.Command, kernel *engine.Engine, paths []string) error {
	piped := 0
	for _, path := range paths {
		if path == policydir.Stdin {
			if piped++; piped > 1 {
				return usage("validate: - comes twice; the standard input is read once")
			}
		} else if _, err := os.Stat(path); err != nil {
			return usage("PATH: %v", err)
		}
	}
	tree, problems := policydir.LoadOptions{
		Options: manifest.Options{OtherKinds: f.otherKinds}, Stdin: cmd.InOrStdin(),
	}.Load(paths...)
	if tree != nil && len(tree.Count()) == 0 {
		return f.nothing(cmd, tree, problems)
	}
	snapshot, problems := f.network.compile(cmd.Context(), kernel, tree, problems)
	if tree == nil {
		return f.report(cmd, problems, 0, read{})
	}
	problems = append(problems, grantProblems(tree)...)
	problems = append(problems, idleConfigMaps(tree)...)
	absent := 0
	if f.allowUnresolved {
		problems, absent = allowAbsent(tree, problems)
	}
	return f.report(cmd, problems, absent, read{tree.Count(), tree.Other, snapshot.Found()})
}

// report prints problems, of which so many warnings are of what is absent.
func (f *validateFlags) report(cmd *cobra.Command, problems []authz.Problem, absent int, found read) error {
	if err := f.print(cmd, problems); err != nil {
		return usage("cannot write: %v", err)
	}
	errors, warnings := count(problems)
	if f.output == "text" {
		fmt.Fprintln(cmd.ErrOrStderr(), found.summary(errors, warnings))
		for _, keys := range found.keys {
			fmt.Fprintln(cmd.ErrOrStderr(), keys)
		}
	}
	if errors > 0 || f.strict && warnings > absent {
		return exit{code: exitDenied}
	}
	return nil
}

// nothing is for a pipeline that would be green by a mistyped folder.
func (f *validateFlags) nothing(cmd *cobra.Command, tree *manifest.Tree, problems []authz.Problem) error {
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), problemLine(p))
	}
	if tree.Other > 0 {
		return usage("nothing to validate: %s ignored, and no manifest of a kind that is known here was found", were(tree.Other, "document"))
	}
	return usage("nothing to validate: no manifest was found; is this the right path?")
}

func (f *validateFlags) print(cmd *cobra.Command, problems []authz.Problem) error {
	switch f.output {
	case "json":
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(printable(problems))
	case "sarif":
		return printSARIF(cmd.OutOrStdout(), problems)
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), problemLine(p)); err != nil {
			return err
		}
	}
	return nil
}

// idleConfigMaps are ConfigMaps with a label of agentauth's under which nothing reads
// them, and Secrets with one of ConfigMaps: revocations that revoke nothing, as a rule.
func idleConfigMaps(tree *manifest.Tree) (out []authz.Problem) {
	uses := []string{v1alpha1.UseRevocations, v1alpha1.UseHostnameGrants, v1alpha1.UseJWKS, v1alpha1.UseCA}
	for _, o := range tree.Input.ConfigMaps {
		odd := apikey.UnknownNames(o.Labels, nil)
		switch use, ok := o.Labels[v1alpha1.LabelUse]; {
		case slices.Contains(uses, use):
			continue
		case ok:
			odd = append(odd, fmt.Sprintf("label %s is %q: nothing reads a ConfigMap of this use; expected one of %s", v1alpha1.LabelUse, authz.Cut(use, 63), strings.Join(uses, ", ")))
		}
		for _, message := range odd {
			out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.OddAnnotation, Object: "ConfigMap " + o.Namespace + "/" + o.Name, Field: "metadata.labels",
				Position: tree.Locate("ConfigMap", o.Namespace, o.Name, "metadata.labels"), Message: message})
		}
	}
	for _, o := range tree.Input.Secrets {
		if use := o.Labels[v1alpha1.LabelUse]; use == v1alpha1.UseRevocations || use == v1alpha1.UseHostnameGrants {
			out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.OddAnnotation, Object: "Secret " + o.Namespace + "/" + o.Name, Field: "metadata.labels",
				Position: tree.Locate("Secret", o.Namespace, o.Name, "metadata.labels"), Message: fmt.Sprintf("label %s is %q: nothing reads a Secret of this use; expected a ConfigMap", v1alpha1.LabelUse, use)})
		}
	}
	return out
}

// grantProblems are those of ConfigMaps of hostname grants, which a cluster's
// agentauth reads in its own namespace. What cannot be read is an error.
func grantProblems(tree *manifest.Tree) (out []authz.Problem) {
	for _, o := range tree.Input.ConfigMaps {
		if o.Use() != v1alpha1.UseHostnameGrants {
			continue
		}
		name := "ConfigMap " + o.Namespace + "/" + o.Name
		say := func(field string, entries map[string][]byte) {
			_, partial, problems := hostgrant.Parse(name, entries)
			for _, p := range problems {
				if partial {
					p.Severity = authz.Invalid
				}
				p.Object, p.Field, p.Position = name, field, tree.Locate("ConfigMap", o.Namespace, o.Name, field)
				out = append(out, p)
			}
		}
		if len(o.Data) == 0 {
			say("data", nil)
		}
		for _, entry := range slices.Sorted(maps.Keys(o.Data)) {
			say("data["+entry+"]", map[string][]byte{entry: o.Data[entry]})
		}
	}
	return out
}
