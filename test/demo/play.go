package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// play calls, one after another, and prints a row for each.
func (s *stage) play(ctx context.Context, out io.Writer, all []scene) error {
	fmt.Fprintf(out, "\nEnvoy asks agentauth about every request, over TLS at %s and plaintext at %s.\n\n", s.envoy.HTTPS(), s.envoy.HTTP())
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "WHO\tWITH\tASKS\tANSWER\tWHY")
	wrong := 0
	for _, scene := range all {
		got, why, err := s.act(ctx, scene)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", scene.who, scene.with, scene.asks, got, why)
		if err != nil {
			wrong++
			fmt.Fprintf(table, "\t\t\t\tNOT AS EXPECTED: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d decisions are not as expected", wrong, len(all))
	}
	fmt.Fprintf(out, "\nAll %d decisions are as expected. The policies are in config/samples.\n", len(all))
	return nil
}

// act makes one call and compares all that is known of it with what was expected.
func (s *stage) act(ctx context.Context, want scene) (status int, why string, err error) {
	before := s.upstream.Count()
	got, err := want.call(ctx)
	if err != nil {
		return 0, "", err
	}
	decision, err := s.decision(ctx)
	if err != nil {
		return got.status, "", err
	}
	why = decision.String()
	switch reached := s.upstream.Count() > before; {
	case got.status != want.status:
		return got.status, why, fmt.Errorf("expected %d, got %d: %s", want.status, got.status, got.body)
	case decision["reason"] != want.reason:
		return got.status, why, fmt.Errorf("expected the reason %s", want.reason)
	case reached != (want.status < 300):
		return got.status, why, fmt.Errorf("reached the upstream: %t", reached)
	case !reached:
		return got.status, why, nil
	}
	seen := s.upstream.Seen()
	headers := seen[len(seen)-1].Headers
	for name, value := range want.upstream {
		if headers.Get(name) != value {
			return got.status, why, fmt.Errorf("expected the upstream to see %s %q, it saw %q", name, value, headers.Values(name))
		}
	}
	return got.status, why, nil
}

// decision is a record of agentauth's log.
type decision map[string]any

// decision waits for the record of the one request that was made since the last call.
func (s *stage) decision(ctx context.Context) (decision, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		records, err := s.agentauth.Records()
		if err != nil {
			return nil, err
		}
		for ; s.records < len(records); s.records++ {
			if record := records[s.records]; record["decision"] != nil {
				s.records++
				return record, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no decision appeared in %s: %w", s.agentauth.Log, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d decision) String() string {
	why := fmt.Sprint(d["reason"])
	for _, field := range []string{"policy", "authenticator", "rule", "subject"} {
		if value, ok := d[field].(string); ok && value != "" {
			why += fmt.Sprintf(" %s=%s", field, value)
		}
	}
	return why
}

// tryThis says what to do with what is left up.
func (s *stage) tryThis(out io.Writer) {
	curl := "curl -i --cacert " + s.caFile
	fmt.Fprintf(out, `
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
Its metrics:                                   curl http://%[10]s/metrics
`, curl, alicesPassword, s.envoy.HTTPS(), robotsKey, s.envoy.HTTP(), s.provider.TokenURL(), clientSecret, s.dir+"/policies", s.agentauth.Log, s.agentauth.MetricsAddress)
}
