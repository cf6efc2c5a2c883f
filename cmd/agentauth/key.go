package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/apikey"
)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key issue|rotate|list|revoke",
		Short: "Make, rotate, list and revoke API keys",
		Long: `API keys are entries of Secrets labelled agentauth.dev/use: api-key. A Secret
holds the digest of a key; the key itself is printed once, on stderr, and is
nowhere else.`,
		Example: `  agentauth key issue --secret robot --labels team=orders
  agentauth key list --policies config/samples`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("key %s: expected issue, rotate, list or revoke", args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			return usage("key: expected issue, rotate, list or revoke, as in agentauth key list --policies DIR")
		},
	}
	cmd.FParseErrWhitelist.UnknownFlags = true // whose they are says the word before them
	cmd.AddCommand(keyIssueCommand(), keyRotateCommand(), keyListCommand(), keyRevokeCommand())
	return cmd
}

// noArguments refuses what is no flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s: expected flags only, and %q is none", commandWords(cmd), args[0])
	}
	return nil
}

// commandWords is a command as it is typed behind agentauth, which every message begins with.
func commandWords(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// newKey is a key and what a Secret holds of it. A key is hex digits, which no
// query, header or shell reads as anything else.
func newKey() (key, digest string, err error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", "", err
	}
	key = hex.EncodeToString(b)
	digest, err = apikey.Hash([]byte(key))
	return key, digest, err
}

// newEntry is a name for a new entry that no entry has: the day, and a number
// where a day has several.
func newEntry(now time.Time, taken func(string) bool) string {
	day := now.UTC().Format("2006-01-02")
	name := "k" + day
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("k%s-%d", day, n)
	}
	return name
}

var spanPart = regexp.MustCompile(`^([0-9]{1,6})([wd])`)

// parseSpan reads a duration that may have weeks and days: 90d, 1w, 1d12h, 30m.
func parseSpan(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	total, rest := time.Duration(0), s
	for m := spanPart.FindStringSubmatch(rest); m != nil; m = spanPart.FindStringSubmatch(rest) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, err
		}
		unit := day
		if m[2] == "w" {
			unit = 7 * day
		}
		if n > 36500 {
			return 0, fmt.Errorf("expected at most a hundred years")
		}
		total, rest = total+time.Duration(n)*unit, rest[len(m[0]):]
	}
	if rest != "" || s == "" {
		d, err := time.ParseDuration(rest)
		if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
			return 0, fmt.Errorf("expected a duration as in 90d, 12h or 1d12h")
		}
		total += d
	}
	if total < 0 || total > 36500*day {
		return 0, fmt.Errorf("expected at most a hundred years")
	}
	return total, nil
}

// endOf reads --expires: a duration from now, or a time.
func endOf(flag string, now time.Time) (time.Time, error) {
	if flag == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, flag); err == nil {
		if !t.After(now) {
			return t, usage("--expires %s: expected a time that is to come", flag)
		}
		return t, nil
	}
	d, err := parseSpan(flag)
	switch {
	case err != nil:
		return time.Time{}, usage("--expires %q: %v, or a time as in 2027-01-31T00:00:00Z", flag, err)
	case d == 0:
		return time.Time{}, usage("--expires %s: expected a duration above zero", flag)
	}
	return now.Add(d), nil
}

func rfc3339(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
