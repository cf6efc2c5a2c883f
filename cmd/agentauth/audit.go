package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	forwardauth "github.com/agentauth-dev/agentauth/authz/forward"
	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
	"github.com/agentauth-dev/agentauth/telemetry/audit/otlp"
)

// auditFlags say what of decisions is recorded, and where.
type auditFlags struct {
	stdout   bool
	file     string
	otlp     string
	plain    bool // to the collector
	size     int
	age      int
	backups  int
	path     string
	allows   []string
	claims   []string
	required bool

	given func() []string
}

func (f *auditFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.stdout, "audit-stdout", false, "write the audit stream to stdout: one line of JSON for each decision and each change of a policy")
	flags.StringVar(&f.file, "audit-file", "", "append the audit stream to a file (mode 0600), which is replaced when it is large")
	flags.IntVar(&f.size, "audit-file-max-size", 100, "size in MiB at which the audit file is replaced")
	flags.IntVar(&f.age, "audit-file-max-age", 0, "days for which old audit files are kept; 0 is for ever")
	flags.IntVar(&f.backups, "audit-file-max-backups", 0, "how many old audit files are kept; 0 is all")
	flags.StringVar(&f.otlp, "audit-otlp-endpoint", "", "HOST:PORT or URL of a collector that takes the audit stream as logs by OTLP over gRPC, with TLS; its credential comes from OTEL_EXPORTER_OTLP_HEADERS")
	flags.BoolVar(&f.plain, "audit-otlp-insecure", false, "send the audit stream to the collector without TLS, as http:// does")
	flags.StringVar(&f.path, "audit-path", string(audit.PathFull), "paths in the audit stream: full, template ({} for what looks like an identifier), hash (keyed, by process) or none; never the query")
	flags.StringSliceVar(&f.allows, "audit-allows", []string{"all"}, "which allowances are recorded: all, none, or the part of requests as in 0.1; NAMESPACE/NAME=0.1 of one policy, NAMESPACE/*=0.1 of those of a namespace; refusals and errors always are (repeatable)")
	flags.StringSliceVar(&f.claims, "audit-claims", nil, "names of claims of verified identities that are recorded; else none is (repeatable)")
	flags.BoolVar(&f.required, "audit-required", false, "answer 503 in place of each decision that was not written to every sink")
	oneOf(cmd, "audit-path", "full", "template", "hash", "none")
	f.given = func() (out []string) {
		for _, name := range []string{"audit-file-max-size", "audit-file-max-age", "audit-file-max-backups", "audit-otlp-insecure", "audit-path", "audit-allows", "audit-claims"} {
			if flags.Changed(name) {
				out = append(out, "--"+name)
			}
		}
		return out
	}
}

// open begins the stream; nil where nothing is recorded.
func (f *auditFlags) open(log *slog.Logger) (*audit.Stream, error) {
	if !f.stdout && f.file == "" && f.otlp == "" {
		if f.required {
			return nil, usage("--audit-required: expected where to record, --audit-stdout, --audit-file PATH or --audit-otlp-endpoint URL, and none is given")
		}
		if given := f.given(); len(given) > 0 {
			return nil, usage("%s is of the audit stream, and nothing is recorded: give --audit-stdout, --audit-file PATH or --audit-otlp-endpoint URL too", given[0])
		}
		return nil, nil //nolint:nilnil // a nil stream records nothing
	}
	mode, err := audit.ParsePathMode(f.path)
	if err != nil {
		return nil, usage("--audit-path: %v", err)
	}
	c := audit.Config{Path: mode, Claims: f.claims, Required: f.required, Process: audit.Process{Version: versionString(), PID: os.Getpid()}, Proxy: askedBy}
	if c.Allows, c.AllowsOf, err = audit.ParseAllows(f.allows); err != nil {
		return nil, usage("--audit-allows %v", err)
	}
	if c.Process.Host, err = os.Hostname(); err != nil {
		log.Warn("the name of this host is not known; audit records do not say it", "cause", err.Error())
	}
	if f.stdout {
		c.Sinks = append(c.Sinks, audit.Writer("stdout", os.Stdout))
	}
	if f.file != "" {
		if f.size < 1 {
			return nil, usage("--audit-file-max-size %d: expected at least 1, in MiB", f.size)
		}
		if f.age < 0 {
			return nil, usage("--audit-file-max-age %d: expected days, or 0 for ever", f.age)
		}
		if f.backups < 0 {
			return nil, usage("--audit-file-max-backups %d: expected how many, or 0 for all", f.backups)
		}
		sink, err := audit.File(f.file, audit.FileOptions{MaxSize: f.size, MaxAge: f.age, MaxBackups: f.backups, Gone: func() {
			log.Error("the audit file was removed, moved or cut by somebody else: records may be missing, and the next ones begin it anew; agentauth replaces the file itself", "flag", "--audit-file", "file", f.file)
		}})
		if err != nil {
			return nil, usage("--audit-file: %v", err)
		}
		c.Sinks = append(c.Sinks, sink)
	}
	if f.otlp == "" && f.plain {
		return nil, usage("--audit-otlp-insecure is for --audit-otlp-endpoint, which is not given")
	}
	if f.otlp != "" {
		sink, err := f.collector(c.Process, log)
		if err != nil {
			return nil, err
		}
		c.Sinks = append(c.Sinks, sink)
	}
	stream, err := audit.New(c)
	if err != nil {
		return nil, usage("--audit-file: %v", err)
	}
	return stream, nil
}

// askedBy is who asked for a decision, at either door.
func askedBy(ctx context.Context) string {
	return cmp.Or(extauthz.Proxy(ctx), forwardauth.Proxy(ctx))
}

// collector is the sink of --audit-otlp-endpoint. The collector is not waited for.
func (f *auditFlags) collector(p audit.Process, log *slog.Logger) (audit.Sink, error) {
	host, plain, err := otlpFlags{"--audit-otlp-endpoint", "--audit-otlp-insecure"}.collector(f.otlp, f.plain)
	if err != nil {
		return audit.Sink{}, err
	}
	if err := cmp.Or(otlpHeaders(), otlpCompression()); err != nil {
		return audit.Sink{}, err
	}
	o := otlp.Options{Host: host, AllowPlaintext: plain, Process: p, Failed: collectorFails(log)}
	if !plain {
		if o.TLS, err = otlpTLS(); err != nil {
			return audit.Sink{}, err
		}
	}
	sink, err := otlp.New(o)
	if err != nil {
		return audit.Sink{}, usage("--audit-otlp-endpoint: %v", err)
	}
	return sink, nil
}

// collectorFails says at once, and then once a minute, that the collector takes nothing:
// no record is lost yet, and nobody would know until then.
func collectorFails(log *slog.Logger) func(error) {
	told := rate.Sometimes{Interval: time.Minute}
	return func(err error) {
		told.Do(func() {
			log.Warn("the collector of the audit stream took no records: they wait, and are sent again for a while", "flag", "--audit-otlp-endpoint", "cause", authz.Cut(err.Error(), 256))
		})
	}
}

// lastWrites is the least time that the end of the audit stream may take.
const lastWrites = 2 * time.Second

// closeAudit writes what waits, in what is left of the drain, or in lastWrites.
func (s *service) closeAudit() {
	ctx, cancel := context.WithTimeout(context.Background(), max(s.flags.drain-time.Since(s.stopping), lastWrites))
	defer cancel()
	if err := s.audit.Close(ctx); err != nil {
		s.log.Error("the audit stream did not end in order", "cause", err.Error())
	}
	(&telemetry.AuditLog{Log: s.log}).Where(s.audit.Stats())
}
