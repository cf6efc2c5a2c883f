package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// explainFlags say who may have decisions explained.
type explainFlags struct {
	names      []string
	onLoopback bool
}

func (f *explainFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.names, "explain-client-name", nil,
		"a SAN (DNS or URI) of client certificates that may have decisions explained (check --server --explain), and ask for none unless --client-name has it too (repeatable)")
	cmd.Flags().BoolVar(&f.onLoopback, "explain-on-loopback", false,
		"every process that reaches a loopback --grpc-address may have decisions explained")
}

// unused refuses the flags where there is no door.
func (f *explainFlags) unused() error {
	if f.names != nil || f.onLoopback {
		return usage("--explain-client-name and --explain-on-loopback: expected a --grpc-address, where decisions are explained, and it is empty")
	}
	return nil
}

// explain is who may have decisions explained at the door.
func (s *service) explain() extauthz.Explain {
	return extauthz.Explain{
		Names: s.flags.explain.names, OnLoopback: s.flags.explain.onLoopback,
		Explainer: &explainer{s.kernel, telemetry.NewExplanations(s.log, s.metrics)},
	}
}

// explainer explains decisions of the kernel as check -o json --explain does.
type explainer struct {
	kernel *engine.Engine
	told   *telemetry.Explanations
}

func (e *explainer) Explain(ctx context.Context, raw authz.Raw, by string) (string, error) {
	start := time.Now()
	trace := &authz.Trace{Rehearsal: true}
	d := e.kernel.Try(ctx, raw, trace)
	e.told.Explained(ctx, by, &raw, &d, time.Since(start))
	d.Detail = ownersDetail(&d, trace.Steps)
	var text strings.Builder
	err := printJSON(&text, &d, trace.Steps)
	return text.String(), err
}
