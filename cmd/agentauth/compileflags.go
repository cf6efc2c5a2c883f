package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// compileFlags are those of serve that say what policies mean, for the commands
// that do not serve.
type compileFlags struct {
	gatewayClasses, hostnames []string
}

func (f *compileFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.gatewayClasses, "gateway-classes", nil, "as for serve: GatewayClasses whose Gateways count (repeatable)")
	flags.StringSliceVar(&f.hostnames, "hostnames", nil, "as for serve of a cluster: NAMESPACE=PATTERN grants hosts; its namespaces are then several tenants' (repeatable)")
}

// options are those of a directory, which is one tenant's, unless hostnames are
// granted.
func (f *compileFlags) options() (engine.Options, error) {
	if err := gatewayClassNames(f.gatewayClasses); err != nil {
		return engine.Options{}, err
	}
	grants, err := hostnameGrants(f.hostnames)
	return engine.Options{OneTenant: len(grants) == 0, GatewayClasses: f.gatewayClasses, HostnameGrants: grants}, err
}

func gatewayClassNames(names []string) error {
	if names != nil && len(names) == 0 || slices.Contains(names, "") {
		return usage("--gateway-classes: expected names of GatewayClasses, got an empty one; leave the flag out to let all count that their controller accepted")
	}
	for _, name := range names {
		if len(validation.IsDNS1123Subdomain(name)) > 0 {
			return usage("--gateway-classes %q: expected the name of a GatewayClass: letters of lower case, digits, '-' and '.'", name)
		}
	}
	return nil
}

func namespaceNames(flag string, names []string) error {
	if names != nil && len(names) == 0 || slices.Contains(names, "") {
		return usage("%s: expected names, got an empty one", flag)
	}
	for _, name := range names {
		if len(validation.IsDNS1123Label(name)) > 0 {
			return usage("%s %q: expected the name of a namespace: letters of lower case, digits and '-'", flag, name)
		}
	}
	return nil
}

func hostnameGrants(words []string) (grants engine.HostnameGrants, err error) {
	if words != nil && len(words) == 0 {
		return nil, usage("--hostnames: expected NAMESPACE=PATTERN as in shop=*.shop.example.com, got an empty one")
	}
	for _, s := range words {
		namespace, pattern, _ := strings.Cut(s, "=")
		grant := engine.HostnameGrant{Namespace: namespace, Hostname: pattern}
		if err := grant.Check(); err != nil {
			return nil, usage("--hostnames %s: expected NAMESPACE=PATTERN as in shop=*.shop.example.com: %v", s, err)
		}
		grants = append(grants, grant)
	}
	return grants, nil
}

// oneOf says which values a flag has, to the completion of a shell.
func oneOf(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // it exists
}
