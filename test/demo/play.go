package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// play does what is to be done, one after another, and prints a row for each.
func (s *stage) play(ctx context.Context, d demo) error {
	fmt.Fprintf(s.out, "\nEnvoy asks agentauth about every request, over TLS at %s and plaintext at %s.\n\n", s.https, s.http)
	table := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "WHO\tWITH\tASKS\tANSWER\tWHY")
	calls, right, fine := 0, 0, true
	for _, scene := range d.scenes(s) {
		got, why, err := s.act(ctx, scene)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", scene.who, scene.with, scene.asks, got, why)
		if scene.do == nil {
			calls++
		}
		switch {
		case err != nil:
			fine = false
			fmt.Fprintf(table, "\t\t\t\tNOT AS EXPECTED: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		case scene.do == nil:
			right++
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := d.ends(s, ctx); err != nil {
		return err
	}
	if !fine {
		return fmt.Errorf("%d of %d decisions as expected: the table says what was not", right, calls)
	}
	_, err := fmt.Fprintf(s.out, "\n%d of %d decisions as expected.\n", right, calls)
	return err
}

// act does a deed, or waits until a call comes to what is expected of it.
func (s *stage) act(ctx context.Context, want scene) (got, why string, err error) {
	if want.do != nil {
		why, err = want.do(ctx)
		return "", why, err
	}
	begun := time.Now()
	err = until(ctx, want.within, func() (err error) {
		got, why, err = s.once(ctx, want)
		return err
	})
	if want.within > 0 {
		why += fmt.Sprintf(" (after %d ms)", time.Since(begun).Milliseconds())
	}
	return got, why, err
}

// until polls until check has no error, and returns its last one after a limit, or after the first if there is none.
func until(ctx context.Context, limit time.Duration, check func() error) error {
	for end := time.Now().Add(limit); ; {
		err := check()
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// once makes one call and compares all that is known of it with what was expected.
func (s *stage) once(ctx context.Context, want scene) (status, why string, err error) {
	before := s.upstream.Count()
	got, err := want.call(ctx)
	if err != nil {
		return "", "", err
	}
	decision, err := s.decision()
	status, why = strconv.Itoa(got.status), decision.String()
	switch reached := s.upstream.Count() > before; {
	case err != nil:
		return status, why, err
	case got.status != want.status:
		return status, why, fmt.Errorf("expected %d, got %d: %s", want.status, got.status, got.body)
	case decision.text("reason") != want.reason:
		return status, why, fmt.Errorf("expected the reason %q", want.reason)
	case want.policy != "" && decision.text("policy") != want.policy:
		return status, why, fmt.Errorf("expected the policy %s", want.policy)
	case want.shadow != decision.shadow("decision"):
		return status, why, fmt.Errorf("expected a policy on trial to decide %q", want.shadow)
	case reached != (want.status < 300 && !want.answered):
		return status, why, fmt.Errorf("reached the upstream: %t", reached)
	case !reached:
		return status, why, nil
	}
	seen := s.upstream.Seen()
	headers := seen[len(seen)-1].Headers
	for name, value := range want.upstream {
		if headers.Get(name) != value {
			return status, why, fmt.Errorf("expected the upstream to see %s %q, it saw %q", name, value, headers.Values(name))
		}
	}
	return status, why, nil
}

// decision is a record of agentauth's log; nil where nobody asked.
type decision map[string]any

// decision is the record of the one request that was made since the last call. It is written before the answer.
func (s *stage) decision() (last decision, err error) {
	records, err := s.agentauth.Records()
	if err != nil {
		return nil, err
	}
	for _, record := range records[s.records:] {
		if record["decision"] == nil {
			continue
		}
		if last != nil {
			err = fmt.Errorf("expected one decision, %s has another: %v", s.agentauth.Log, last)
		}
		last = record
	}
	s.records = len(records)
	return last, err
}

func (d decision) text(field string) string {
	text, _ := d[field].(string)
	return text
}

// shadow is a field of what a policy on trial would have decided.
func (d decision) shadow(field string) string {
	group, _ := d["shadow"].(map[string]any)
	return decision(group).text(field)
}

func (d decision) String() string {
	if d == nil {
		return "Envoy does not ask"
	}
	why := d.text("reason")
	for _, field := range []string{"policy", "method", "rule", "subject"} {
		if value := d.text(field); value != "" {
			why += fmt.Sprintf(" %s=%s", field, value)
		}
	}
	if would := d.shadow("decision"); would != "" {
		why += fmt.Sprintf(" (on trial: %s %s policy=%s)", would, d.shadow("reason"), d.shadow("policy"))
	}
	return why
}

func (s *stage) nameSamples(context.Context) error {
	_, err := fmt.Fprintln(s.out, "\nThe policies are in config/samples.")
	return err
}

// tryThis says what to do with what is left up.
func (s *stage) tryThis() error {
	curl := "curl -i --cacert " + s.caFile
	_, err := fmt.Fprintf(s.out, `
Everything stays up until Ctrl-C. Try:

  %[1]s -u alice:%[2]s %[3]s/reports
  %[1]s -H 'x-api-key: %[4]s' %[3]s/inventory
  %[1]s -H 'x-agent-id: alice' %[3]s/public
  curl -i -u alice:%[2]s %[5]s/reports

  TOKEN=$(curl -s %[6]s -d grant_type=client_credentials -d client_id=orders-agent \
    -d client_secret=%[7]s -d scope=orders:read -d resource=https://orders.example.com | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  %[1]s -H "authorization: Bearer $TOKEN" %[3]s/orders

The policies are read again when they change: %[8]s
What agentauth says of each request:           %[9]s
What an auditor gets:                          %[11]s
Its metrics:                                   curl http://%[10]s/metrics
`, curl, alicesPassword, s.https, robotsKey, s.http, s.provider.TokenURL(), clientSecret, s.Dir+"/policies", s.agentauth.Log, s.agentauth.MetricsAddress, s.auditFile())
	return err
}
