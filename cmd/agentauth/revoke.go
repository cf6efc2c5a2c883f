package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// revocationText is an entry as it is written.
type revocationText struct {
	Issuer     string               `yaml:"issuer,omitempty"`
	Subject    string               `yaml:"subject,omitempty"`
	Actor      *revocationActorText `yaml:"actor,omitempty"`
	Client     string               `yaml:"client,omitempty"`
	Token      string               `yaml:"jti,omitempty"`
	Secret     string               `yaml:"secret,omitempty"`
	Credential string               `yaml:"credentialId,omitempty"`
	Key        string               `yaml:"kid,omitempty"`
	Thumbprint string               `yaml:"thumbprint,omitempty"`
	Until      string               `yaml:"until"`
	Reason     string               `yaml:"reason,omitempty"`
}

type revocationActorText struct {
	Issuer  string `yaml:"issuer,omitempty"`
	Subject string `yaml:"subject,omitempty"`
}

// revokeFlags are what the command revokes, and where.
type revokeFlags struct {
	where              revocationStoreFlags
	text               revocationText
	actor, actorIssuer string
	token, what        string
	span, until, name  string
	undo               string
}

func revokeCommand() *cobra.Command {
	var f revokeFlags
	cmd := &cobra.Command{
		Use:   "revoke [--policies DIR | --kubeconfig FILE] [-n NAMESPACE] WHAT… [--for 24h | --until TIME] [--reason TEXT]",
		Short: "Refuse credentials from now on: of a subject, an actor, a client, a token, a key",
		Long: `Writes a revocation: every credential that has all that is named is refused, until
the end. It is an entry of a ConfigMap of its own, labelled agentauth.dev/use:
revocations, which is printed for kubectl apply -f -, or is made in a cluster, or as a
file of a directory. In agentauth's own namespace, and in a file without a namespace,
it holds for all policies; in another namespace for the policies of that namespace.`,
		Example: `  agentauth revoke --issuer https://idp.example.com --subject alice --for 24h --reason "ticket 4711" -n agentauth-system
  agentauth revoke --kubeconfig ~/.kube/config -n agentauth-system --actor support-bot --issuer https://idp.example.com --for 7d
  agentauth revoke --policies policies --token @stolen-token --reason "in a log"
  agentauth revoke --policies policies --secret shop/robot --credential-id first --for 90d
  agentauth revoke --policies policies --undo revoked-3f2a9c1b`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, time.Now()) },
	}
	f.where.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.text.Issuer, "issuer", "", "issuer of the credential, byte for byte")
	flags.StringVar(&f.text.Subject, "subject", "", "subject of the credential; without --issuer a user of basic, or the subject of an API key")
	flags.StringVar(&f.actor, "actor", "", "subject of an actor (act) of the token, of whichever place in the chain")
	flags.StringVar(&f.actorIssuer, "actor-issuer", "", "issuer of that actor, if it is another one than the token's")
	flags.StringVar(&f.text.Client, "client", "", "client of the token: azp, client_id, cid or appid; needs --issuer")
	flags.StringVar(&f.text.Token, "jti", "", "id of one token; needs --issuer")
	flags.StringVar(&f.text.Secret, "secret", "", "Secret of API keys, as NAMESPACE/NAME: all of its keys, or one with --credential-id")
	flags.StringVar(&f.text.Credential, "credential-id", "", "entry of an API key in --secret")
	flags.StringVar(&f.text.Key, "kid", "", "id of a signing key: every token that it signed; needs --issuer")
	flags.StringVar(&f.text.Thumbprint, "thumbprint", "", "SHA-256 of a client certificate, or of the key that tokens are bound to (hexadecimal digits or base64url)")
	flags.StringVar(&f.token, "token", "", "@FILE (@- is the standard input) of a token in hand; it is never shown")
	flags.StringVar(&f.what, "what", "token", "with --token, what of it: token, subject, client, actor or kid")
	flags.StringVar(&f.span, "for", "", "how long, as in 24h or 7d (default 24h, with --token to its end)")
	flags.StringVar(&f.until, "until", "", "until when (RFC 3339)")
	flags.StringVar(&f.text.Reason, "reason", "", "why, for people: in the log of each refusal")
	flags.StringVar(&f.name, "name", "", "name of the revocation, and of its ConfigMap (default: made of what it names)")
	flags.StringVar(&f.undo, "undo", "", "remove the revocation of this name instead")
	oneOf(cmd, "what", "token", "subject", "client", "actor", "kid")
	cmd.AddCommand(revokeListCommand())
	return cmd
}

func (f *revokeFlags) run(cmd *cobra.Command, now time.Time) error {
	store, err := f.where.open()
	if err != nil {
		return err
	}
	if f.undo != "" {
		if store == nil {
			return usage("revoke --undo: expected --policies DIR, or --kubeconfig FILE")
		}
		if err := revocationName("--undo", f.undo); err != nil {
			return err
		}
		from, err := store.remove(cmd.Context(), f.where.namespace, f.undo)
		if err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "removed revocation %s from %s\n", f.undo, from)
		}
		return err
	}
	if f.span != "" && f.until != "" {
		return usage("--for and --until both say when the revocation ends: give one of them")
	}
	if f.token == "" && cmd.Flags().Changed("what") {
		return usage("--what says what of a token is revoked: give --token @FILE too")
	}
	m, err := f.configMap(cmd, now)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(m)
	if err != nil {
		return usage("cannot write: %v", err)
	}
	if store == nil {
		_, err = cmd.OutOrStdout().Write(text)
		if err == nil && f.where.namespace == "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "without -n kubectl puts it into its current namespace: it holds for all policies in agentauth's own namespace only")
		}
		return err
	}
	at, err := store.add(cmd.Context(), m, text)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "revocation %s in %s: in force within two seconds, until %s (agentauth revoke%s --undo %s takes it back)\n", m.name(), at, f.text.Until, f.where.text(), m.name())
	if f.where.policies != "" && f.where.namespace != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "it holds for the policies of namespace %s only; from files, leave -n out to revoke for all policies\n", f.where.namespace)
	}
	if files, ok := store.(revocationFiles); ok {
		if doubt := files.doubt(m); doubt != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning: it refuses nobody as the files are: "+doubt)
		}
	}
	return nil
}

// revocationName checks a name, of which that of a file is made.
func revocationName(flag, name string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return usage("%s %q: expected the name of a ConfigMap: letters of lower case, digits, '-' and '.'", flag, name)
	}
	return nil
}

// revocationMap is a ConfigMap of one revocation as it is written.
type revocationMap struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string            `yaml:"name"`
		Namespace string            `yaml:"namespace,omitempty"`
		Labels    map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"`
}

func (m *revocationMap) name() string { return m.Metadata.Name }

// configMap makes the ConfigMap. Each revocation has its own: kubectl apply would take
// the entries away that a ConfigMap of the same name had before.
func (f *revokeFlags) configMap(cmd *cobra.Command, now time.Time) (*revocationMap, error) {
	if f.actor != "" || f.actorIssuer != "" {
		f.text.Actor = &revocationActorText{Issuer: f.actorIssuer, Subject: f.actor}
	}
	ends := now.Add(24 * time.Hour)
	if f.token != "" {
		token, err := readToken(cmd, f.token)
		if err != nil {
			return nil, err
		}
		if ends, err = f.ofToken(token, now); err != nil {
			return nil, err
		}
	}
	ends, err := f.end(ends, now)
	if err != nil {
		return nil, err
	}
	f.text.Until = rfc3339(ends)
	if ends.Sub(now) > 366*24*time.Hour {
		fmt.Fprintln(cmd.ErrOrStderr(), "the end is more than a year ahead: a credential that is never to come back is better taken away where it is issued")
	}
	entry, err := yaml.Marshal(&f.text) // #nosec G117 -- the name of a Secret
	if err != nil {
		return nil, usage("cannot write: %v", err)
	}
	if _, err := revoke.Parse("", entry); err != nil {
		return nil, usage("revoke: %v", err)
	}
	if f.name == "" {
		sum := sha256.Sum256(append([]byte(f.where.namespace+"\n"), entry...))
		f.name = "revoked-" + hex.EncodeToString(sum[:4])
	}
	if err := revocationName("--name", f.name); err != nil {
		return nil, err
	}
	m := &revocationMap{APIVersion: "v1", Kind: "ConfigMap", Data: map[string]string{f.name: string(entry)}}
	m.Metadata.Name, m.Metadata.Namespace = f.name, f.where.namespace
	m.Metadata.Labels = map[string]string{v1alpha1.LabelUse: v1alpha1.UseRevocations}
	return m, nil
}

func (f *revokeFlags) end(ends, now time.Time) (time.Time, error) {
	switch {
	case f.span != "":
		d, err := parseSpan(f.span)
		if err != nil || d <= 0 {
			return ends, usage("--for %q: expected a duration as in 24h or 7d", f.span)
		}
		return now.Add(d), nil
	case f.until != "":
		t, err := time.Parse(time.RFC3339, f.until)
		if err != nil || !t.After(now) {
			return ends, usage("--until %q: expected a time that is to come, as in 2027-01-31T00:00:00Z", f.until)
		}
		return t, nil
	}
	return ends, nil
}

// readToken reads a token. No error holds a part of it.
func readToken(cmd *cobra.Command, from string) (*authn.Token, error) {
	file, ok := strings.CutPrefix(from, "@")
	if !ok {
		return nil, usage("--token: expected @FILE, so that the token is in no list of processes and no history")
	}
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<20))
	} else {
		data, err = os.ReadFile(file) // #nosec G304 -- the user's file
	}
	if err != nil {
		return nil, usage("--token: %v", err)
	}
	text := strings.TrimSpace(string(data))
	if scheme, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "bearer") {
		text = strings.TrimSpace(rest)
	}
	t, err := authn.ParseToken(text)
	if err != nil {
		return nil, usage("--token: what it holds is no JWT; name what is revoked by --issuer and --subject, --client or --jti")
	}
	return t, nil
}

// ofToken takes from a token what --what says. Nothing of it is verified: a forged one
// is refused already, and revokes who its text names.
func (f *revokeFlags) ofToken(t *authn.Token, now time.Time) (ends time.Time, err error) {
	claim := func(name string) string { s, _ := authn.ClaimText(t.Claims[name]); return s }
	f.text.Issuer = t.Issuer
	ends = now.Add(24 * time.Hour)
	missing := ""
	switch f.what {
	case "token":
		if f.text.Token = claim("jti"); f.text.Token == "" {
			missing = "jti"
		}
		if exp, ok := t.Ends(); ok {
			ends = exp.Add(5 * time.Minute) // clockSkew
		}
		if !ends.After(now) {
			return ends, usage("--token: the token ended at %s and is refused already", rfc3339(ends))
		}
	case "subject":
		if f.text.Subject = claim("sub"); f.text.Subject == "" {
			missing = "sub"
		}
	case "client":
		for _, name := range []string{"azp", "client_id", "cid", "appid"} {
			if f.text.Client == "" {
				f.text.Client = claim(name)
			}
		}
		if f.text.Client == "" {
			missing = "azp or client_id"
		}
	case "actor":
		a, err := authn.ActorOf(t.Claims["act"])
		if err == nil && a != nil && a.Unreadable {
			a.Subject = claim("act") // a text is taken for a subject
		}
		if err != nil || a == nil || a.Subject == "" {
			missing = "act"
			break
		}
		f.text.Actor = &revocationActorText{Issuer: a.Issuer, Subject: a.Subject}
	case "kid":
		if f.text.Key = t.KeyID; f.text.Key == "" {
			missing = "kid"
		}
	default:
		return ends, usage("--what %q: expected token, subject, client, actor or kid", f.what)
	}
	if missing != "" {
		return ends, usage("--token: the token has no %s; choose another --what: token, subject, client, actor or kid", missing)
	}
	return ends, nil
}

// errNoRevocation says that there is none of a name.
var errNoRevocation = errors.New("there is no revocation of this name; agentauth revoke list shows those that there are")
