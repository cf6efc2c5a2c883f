package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// listedRevocation is a revocation as revoke list -o json prints it.
type listedRevocation struct {
	ConfigMap string    `json:"configMap"`
	Name      string    `json:"name"`
	Scope     string    `json:"scope"`
	Revokes   string    `json:"revokes"`
	Until     time.Time `json:"until"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`
}

func revokeListCommand() *cobra.Command {
	var where revocationStoreFlags
	var own, output string
	cmd := &cobra.Command{
		Use:   "list (--policies DIR | --kubeconfig FILE) [-n NAMESPACE]",
		Short: "List revocations, and when they end",
		Long: `Lists the entries of ConfigMaps labelled agentauth.dev/use: revocations: what each
revokes, for whose policies and until when. What cannot be read is said on stderr, and
makes the exit code 1.`,
		Example: `  agentauth revoke list --policies config/samples
  agentauth revoke list --kubeconfig ~/.kube/config -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usage("-o %q: expected text or json", output)
			}
			store, err := where.open()
			if err != nil {
				return err
			}
			if store == nil {
				return usage("revoke list: expected --policies DIR, or --kubeconfig FILE")
			}
			maps, problems, err := store.list(cmd.Context(), where.namespace)
			if err != nil {
				return err
			}
			for i := range maps {
				maps[i].Everywhere = maps[i].Everywhere || where.kubeconfig != "" && maps[i].Namespace == own
			}
			list, wrong := revoke.Read(maps, nil, time.Now())
			code := 0
			for _, p := range append(problems, wrong...) {
				fmt.Fprintln(cmd.ErrOrStderr(), problemLine(p))
				if p.Severity.Fatal() {
					code = exitDenied
				}
			}
			if err := printRevocations(cmd, output, list, time.Now()); err != nil {
				return err
			}
			if code != 0 {
				return exit{code: code}
			}
			return nil
		},
	}
	where.register(cmd)
	cmd.Flags().StringVar(&own, "agentauth-namespace", "agentauth-system", "with --kubeconfig: the namespace of agentauth, whose revocations hold for all policies")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	oneOf(cmd, "output", "text", "json")
	return cmd
}

func printRevocations(cmd *cobra.Command, output string, list *revoke.List, now time.Time) error {
	rows := []listedRevocation{}
	for _, e := range list.Entries() {
		state := "in force"
		if e.Ended(now) {
			state = "ended"
		}
		rows = append(rows, listedRevocation{e.ConfigMap, e.Name, e.Scope(), e.What(), e.Until, state, e.Reason})
	}
	if output == "json" {
		if err := json.MarshalWrite(cmd.OutOrStdout(), rows, jsontext.WithIndent("  ")); err != nil {
			return usage("cannot write: %v", err)
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "no revocations")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONFIGMAP\tNAME\tFOR\tREVOKES\tUNTIL\tSTATE\tREASON")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ConfigMap, r.Name, r.Scope, printableText(r.Revokes), rfc3339(r.Until), r.State, printableText(r.Reason))
	}
	return w.Flush()
}
