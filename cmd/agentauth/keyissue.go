package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

type keyIssueFlags struct {
	secret, namespace, entry, subject, expires string
	labels, scopes                             []string
}

func keyIssueCommand() *cobra.Command {
	var f keyIssueFlags
	cmd := &cobra.Command{
		Use:   "issue --secret NAME [-n NAMESPACE] [--labels K=V,…]",
		Short: "Make a Secret with a new API key",
		Long: `Makes a new API key and prints on stdout the manifest of a Secret that holds its
digest, and on stderr the key itself, once. Whoever applies the manifest makes the
key valid; --labels are what a policy selects the Secret by.`,
		Example: `  agentauth key issue --secret robot -n shop --labels team=orders --scopes orders:read --expires 90d > robot.yaml`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd, time.Now()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.secret, "secret", "", "name of the Secret (required)")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "namespace of the Secret; without it the manifest has none")
	flags.StringVar(&f.entry, "entry", "", "name of the entry, which is the key's id (default: k and the day)")
	flags.StringSliceVar(&f.labels, "labels", nil, "labels of the Secret, K=V, by which policies select it")
	flags.StringVar(&f.subject, "subject", "", "who the key belongs to (default: the name of the Secret)")
	flags.StringSliceVar(&f.scopes, "scopes", nil, "scopes of the key")
	flags.StringVar(&f.expires, "expires", "", "when the key ends: a duration as in 90d or 12h, or a time (RFC 3339); default never")
	return cmd
}

func (f *keyIssueFlags) run(cmd *cobra.Command, now time.Time) error {
	s, err := f.secretOf(now)
	if err != nil {
		return err
	}
	key, digest, err := newKey()
	if err != nil {
		return usage("cannot make a key: %v", err)
	}
	s.StringData[f.entry] = digest
	data := map[string][]byte{f.entry: []byte(digest)}
	for _, e := range apikey.Describe(f.secret, s.Metadata.Labels, s.Metadata.Annotations, data, now) {
		if e.State != apikey.Valid {
			return usage("the key would be refused: %s", e.Why)
		}
	}
	enc := yaml.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent(2)
	if err := enc.Encode(s); err != nil {
		return usage("cannot write the Secret: %v", err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), key)
	return nil
}

// issued is the manifest of a Secret, in the order in which it is printed.
type issued struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace,omitempty"`
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations,omitempty"`
	} `yaml:"metadata"`
	StringData map[string]string `yaml:"stringData"`
}

func (f *keyIssueFlags) secretOf(now time.Time) (s issued, err error) {
	s.APIVersion, s.Kind, s.StringData = "v1", "Secret", map[string]string{}
	s.Metadata.Name, s.Metadata.Namespace = f.secret, f.namespace
	s.Metadata.Labels, s.Metadata.Annotations = map[string]string{v1alpha1.LabelUse: v1alpha1.UseAPIKey}, map[string]string{}
	switch {
	case f.secret == "":
		return s, usage("key issue: expected --secret NAME, the Secret that is to hold the key")
	case len(validation.IsDNS1123Subdomain(f.secret)) > 0:
		return s, usage("--secret %s: expected letters of lower case, digits, '-' and '.', with a letter or digit at both ends", f.secret)
	case f.namespace != "" && len(validation.IsDNS1123Label(f.namespace)) > 0:
		return s, usage("-n %s: expected the name of a namespace: letters of lower case, digits and '-'", f.namespace)
	}
	if f.entry == "" {
		f.entry = newEntry(now, func(string) bool { return false })
	}
	if err := checkEntryName("--entry", f.entry); err != nil {
		return s, err
	}
	for _, l := range f.labels {
		if err := addLabel(s.Metadata.Labels, l); err != nil {
			return s, err
		}
	}
	if f.subject != "" {
		s.Metadata.Annotations[v1alpha1.AnnotationClaimPrefix+"sub"] = f.subject
	}
	if len(f.scopes) > 0 {
		s.Metadata.Annotations[v1alpha1.AnnotationScopes] = strings.Join(slices.Compact(f.scopes), " ")
	}
	end, err := endOf(f.expires, now)
	if err != nil {
		return s, err
	}
	if !end.IsZero() {
		s.Metadata.Annotations[v1alpha1.AnnotationExpiresAtPrefix+f.entry] = rfc3339(end)
	}
	if unknown := apikey.UnknownNames(s.Metadata.Labels, nil); len(unknown) > 0 {
		return s, usage("--labels: %s", unknown[0])
	}
	return s, nil
}

func addLabel(labels map[string]string, given string) error {
	k, v, ok := strings.Cut(given, "=")
	switch {
	case !ok || len(validation.IsQualifiedName(k)) > 0 || len(validation.IsValidLabelValue(v)) > 0:
		return usage("--labels %s: expected NAME=VALUE as in team=orders", given)
	case k == v1alpha1.LabelUse && v != v1alpha1.UseAPIKey:
		return usage("--labels %s: expected no %s, which is always %s here", given, k, v1alpha1.UseAPIKey)
	}
	labels[k] = v
	return nil
}

// checkEntryName checks a name that can have an end of its own: it is the name of
// an annotation too.
func checkEntryName(flag, name string) error {
	if len(validation.IsConfigMapKey(name)) > 0 || len(validation.IsQualifiedName(v1alpha1.AnnotationExpiresAtPrefix+name)) > 0 {
		return usage("%s %s: expected at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends", flag, name)
	}
	return nil
}

func sortedNames[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
