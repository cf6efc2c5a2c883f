package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

func keyRotateCommand() *cobra.Command {
	var where keyStoreFlags
	var secret, entry, newEntry, overlap, expires string
	cmd := &cobra.Command{
		Use:   "rotate (--policies DIR | --kubeconfig FILE) --secret NAME [--entry ID]",
		Short: "Add a new key to a Secret, and end an old one after a while",
		Long: `Adds a new key to a Secret and prints it on stderr, once. The old key ends after
--overlap: until then both are valid, so that callers can change without an outage.
In a directory the file of the Secret is changed in place.`,
		Example: `  agentauth key rotate --policies policies --secret robot -n shop --entry first --overlap 24h
  agentauth key rotate --kubeconfig ~/.kube/config --context prod --secret robot -n shop`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			if secret == "" {
				return usage("key rotate: expected --secret NAME")
			}
			r := rotation{old: entry, entry: newEntry, now: now}
			var err error
			if r.overlap, err = parseSpan(overlap); err != nil {
				return usage("--overlap %q: %v", overlap, err)
			}
			if r.end, err = endOf(expires, now); err != nil {
				return err
			}
			if newEntry != "" {
				if err := checkEntryName("--new-entry", newEntry); err != nil {
					return err
				}
			}
			store, err := where.open(cmd)
			if err != nil {
				return err
			}
			return rotateKey(cmd, store, where.namespace, secret, r)
		},
	}
	where.register(cmd, "")
	flags := cmd.Flags()
	flags.StringVar(&secret, "secret", "", "name of the Secret (required)")
	flags.StringVar(&entry, "entry", "", "the entry that ends (default: the only one without an end of its own)")
	flags.StringVar(&newEntry, "new-entry", "", "name of the new entry (default: k and the day)")
	flags.StringVar(&overlap, "overlap", "24h", "how long the old key stays valid, as in 90d, 12h or 0s")
	flags.StringVar(&expires, "expires", "", "when the new key ends: a duration as in 90d, or a time (RFC 3339); default never")
	return cmd
}

func rotateKey(cmd *cobra.Command, store keyStore, namespace, name string, r rotation) error {
	key, digest, err := newKey()
	if err != nil {
		return usage("cannot make a key: %v", err)
	}
	r.digest = digest
	var ends time.Time
	first := r
	s, err := store.change(cmd.Context(), namespace, name, func(s *keySecret) (c keyChange, err error) {
		r = first // again after a conflict
		c, ends, err = r.change(s)
		return c, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s in %s: entry %s is a new key; entry %s ends at %s\n", s, s.Where, r.entry, r.old, rfc3339(ends))
	if all := s.Annotations[v1alpha1.AnnotationExpiresAt]; all != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "%s ends with all of its keys at %s (annotation %s): the new key too\n", s, all, v1alpha1.AnnotationExpiresAt)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), key)
	return nil
}

func keyRevokeCommand() *cobra.Command {
	var where keyStoreFlags
	var secret string
	var entries []string
	cmd := &cobra.Command{
		Use:   "revoke (--policies DIR | --kubeconfig FILE) --secret NAME --entry ID[,ID…]",
		Short: "Remove keys from a Secret",
		Long: `Removes entries from a Secret, and their ends. Where agentauth follows the
directory or the cluster the keys are refused within a second.`,
		Example: `  agentauth key revoke --policies policies --secret robot -n shop --entry first`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if secret == "" || len(entries) == 0 {
				return usage("key revoke: expected --secret NAME and --entry ID, the key that is revoked (agentauth key list shows them)")
			}
			store, err := where.open(cmd)
			if err != nil {
				return err
			}
			ids := slices.Compact(slices.Sorted(slices.Values(entries)))
			s, err := store.change(cmd.Context(), where.namespace, secret, func(s *keySecret) (keyChange, error) { return revocation(s, ids) })
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s in %s: removed %s\n", s, s.Where, strings.Join(ids, ", "))
			return nil
		},
	}
	where.register(cmd, "")
	cmd.Flags().StringVar(&secret, "secret", "", "name of the Secret (required)")
	cmd.Flags().StringSliceVar(&entries, "entry", nil, "the entries to remove (required, repeatable)")
	return cmd
}

// listedKey is an entry as key list -o json prints it.
type listedKey struct {
	Namespace    string `json:"namespace"`
	Secret       string `json:"secret"`
	apikey.Entry `json:",inline"`
	Where        string `json:"where"`
}

func keyListCommand() *cobra.Command {
	var where keyStoreFlags
	var secret, entry, output string
	cmd := &cobra.Command{
		Use:   "list (--policies DIR | --kubeconfig FILE) [-n NAMESPACE] [--secret NAME]",
		Short: "List the keys of Secrets, and when they end",
		Long: `Lists the entries of Secrets labelled agentauth.dev/use: api-key: whose key each
is, when it ends, and whether it is valid, has ended, or is refused and why. Keys and
digests are never shown.`,
		Example: `  agentauth key list --policies config/samples
  agentauth key list --kubeconfig ~/.kube/config -n shop -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usage("-o %q: expected text or json", output)
			}
			store, err := where.open(cmd)
			if err != nil {
				return err
			}
			secrets, err := store.list(cmd.Context(), where.namespace)
			if err != nil {
				return err
			}
			rows := []listedKey{}
			for _, s := range secrets {
				if secret != "" && s.Name != secret {
					continue
				}
				for _, e := range apikey.Describe(s.Name, s.Labels, s.Annotations, s.Data, time.Now()) {
					if entry == "" || e.ID == entry {
						rows = append(rows, listedKey{s.Namespace, s.Name, e, s.Where})
					}
				}
			}
			return printKeys(cmd, output, rows)
		},
	}
	where.register(cmd, " (default: all)")
	flags := cmd.Flags()
	flags.StringVar(&secret, "secret", "", "only this Secret")
	flags.StringVar(&entry, "entry", "", "only this entry")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printKeys(cmd *cobra.Command, output string, rows []listedKey) error {
	if output == "json" {
		if err := json.MarshalWrite(cmd.OutOrStdout(), rows, jsontext.WithIndent("  ")); err != nil {
			return usage("cannot write: %v", err)
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "no key: no Secret labelled %s: %s has an entry here\n", v1alpha1.LabelUse, v1alpha1.UseAPIKey)
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tSECRET\tENTRY\tSUBJECT\tSCOPES\tENDS\tSTATE")
	for _, k := range rows {
		ends, state := "never", k.State
		if !k.End.IsZero() {
			ends = rfc3339(k.End)
		}
		if k.Why != "" {
			state += ": " + k.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Namespace, k.Secret, k.ID, printableText(k.Subject), strings.Join(k.Scopes, " "), ends, state)
	}
	return w.Flush()
}
