package cases

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
)

// Check holds a decision against what is wanted:
//
//	allow | deny STATUS REASON | error STATUS REASON | respond STATUS REASON
//	policy NS/NAME, method NAME, rule NAME, subject TEXT
//	sets NAME: VALUE, unset NAME            headers for the upstream
//	signs NAME: KEY ALG CLAIMS              a header with a JWT of that key, behind a scheme
//	removes NAME, keeps NAME                headers taken from the request
//	removes-query NAME, keeps-query NAME
//	metadata NAME: VALUE                    a text, or another value as JSON
//	answers NAME: VALUE, silent NAME        headers for the caller
//	challenges N                            how many www-authenticate
//	challenge N: VALUE                      the Nth of them, from 1
//	body TEXT                               is in the answer's body
//	refused FIELD: TEXT                     subject, issuer, credentialId or actor of Refused
//	claimed FIELD: TEXT                     method, subject, issuer or credentialId of Claimed
//	tells nobody                            neither Identity nor Refused nor Claimed is there
//	shadow DECISION, shadow none            what a shadowed policy would have decided
//	shadow-policy NS/NAME                   which one
//
// seen is false where only what a proxy learns is known: then reason, policy,
// method, rule, subject and the last three are not looked at.
func Check(d *authz.Decision, want []string, seen bool) error {
	for _, w := range want {
		if err := check(d, w, seen); err != nil {
			return fmt.Errorf("wanted %q: %w", w, err)
		}
	}
	return nil
}

func check(d *authz.Decision, want string, seen bool) error {
	verb, rest, _ := strings.Cut(want, " ")
	name, value, _ := strings.Cut(rest, ": ")
	switch verb {
	case "allow", "deny", "error", "respond":
		return checkOutcome(d, verb, strings.Fields(rest), seen)
	case "shadow", "shadow-policy":
		return checkShadow(d, verb, rest, seen)
	case "policy", "method", "rule", "subject":
		if !seen {
			return nil
		}
		return equal(map[string]string{"policy": d.Policy, "method": d.Method, "rule": d.Rule, "subject": subject(d)}[verb], unquote(rest))
	case "refused", "claimed", "tells":
		if !seen {
			return nil
		}
		return checkHolder(d, verb, name, unquote(value))
	case "sets":
		return checkHeader(d.Set, name, unquote(value))
	case "signs":
		return checkSigned(d.Set, name, value)
	case "unset":
		return absent(names(d.Set), rest)
	case "removes":
		return present(d.Remove, rest)
	case "keeps":
		return absent(d.Remove, rest)
	case "keeps-query":
		return absent(d.RemoveQuery, rest)
	case "removes-query":
		return present(d.RemoveQuery, rest)
	case "metadata":
		return checkMetadata(d.Metadata[name], unquote(value))
	case "answers":
		return checkHeader(d.Headers, name, unquote(value))
	case "silent":
		return absent(names(d.Headers), rest)
	case "challenges":
		return equal(strconv.Itoa(len(challenges(d))), rest)
	case "challenge":
		n, err := strconv.Atoi(name)
		if list := challenges(d); err != nil || n < 1 || n > len(list) || list[n-1] != value {
			return fmt.Errorf("got %q", list)
		}
		return nil
	case "body":
		if !strings.Contains(d.Body, unquote(rest)) {
			return fmt.Errorf("the body is %q", d.Body)
		}
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func checkOutcome(d *authz.Decision, outcome string, rest []string, seen bool) error {
	got, wanted := d.Outcome.String(), outcome
	if outcome != "allow" {
		got, wanted = got+" "+strconv.Itoa(d.Status), wanted+" "+strings.Join(rest[:min(1, len(rest))], "")
	}
	if seen && len(rest) > 0 {
		got, wanted = got+" "+string(d.Reason), wanted+" "+rest[len(rest)-1]
	}
	if got != wanted {
		return fmt.Errorf("got %s (%s: %s)", got, d.Reason, d.Detail)
	}
	return nil
}

func checkShadow(d *authz.Decision, verb, want string, seen bool) error {
	switch {
	case !seen:
		return nil
	case d.Shadow == nil:
		return equal("none", want)
	case verb == "shadow-policy":
		return equal(d.Shadow.Policy, want)
	}
	outcome, rest, _ := strings.Cut(want, " ")
	return checkOutcome(d.Shadow, outcome, strings.Fields(rest), true)
}

func subject(d *authz.Decision) string {
	if d.Identity == nil {
		return "(nobody)"
	}
	return d.Identity.Subject
}

func equal(got, want string) error {
	if got != want {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

func checkMetadata(got any, want string) error {
	switch got := got.(type) {
	case nil:
		return equal("", want)
	case string:
		return equal(got, want)
	}
	text, err := json.Marshal(got, json.Deterministic(true))
	if err != nil {
		return err
	}
	return equal(string(text), want)
}

func checkHeader(headers []authz.Header, name, value string) error {
	for _, h := range headers {
		if h.Name == name && h.Value == value {
			return nil
		}
	}
	return fmt.Errorf("got %v", headers)
}

func challenges(d *authz.Decision) []string {
	var out []string
	for _, h := range d.Headers {
		if h.Name == "www-authenticate" {
			out = append(out, h.Value)
		}
	}
	return out
}

func names(headers []authz.Header) []string {
	var out []string
	for _, h := range headers {
		out = append(out, h.Name)
	}
	return out
}

func present(list []string, name string) error {
	if !slices.Contains(list, name) {
		return fmt.Errorf("got %v", list)
	}
	return nil
}

func absent(list []string, name string) error {
	if slices.Contains(list, name) {
		return fmt.Errorf("got %v", list)
	}
	return nil
}
