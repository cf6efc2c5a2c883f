package main

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/spf13/cobra"
	registration "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/controller/servingcert"
	"github.com/agentauth-dev/agentauth/controller/webhook"
)

// webhookFlags say whether policies are judged when they are applied, and whose
// certificate that is served with.
type webhookFlags struct{ address, cert, key, configuration string }

func (f *webhookFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "webhook-address", "", `address of the validating admission webhook; "" turns it off`)
	flags.StringVar(&f.cert, "webhook-tls-cert", "", "the webhook's certificate chain in PEM, reloaded when it changes")
	flags.StringVar(&f.key, "webhook-tls-key", "", "the webhook's private key in PEM, reloaded when it changes")
	flags.StringVar(&f.configuration, "webhook-configuration", "",
		"without these files: make the certificate, and let this ValidatingWebhookConfiguration trust it")
}

func (f *webhookFlags) check(cluster bool) error {
	files, anything := f.cert != "" && f.key != "", f.cert+f.key+f.configuration != ""
	switch {
	case f.address == "" && anything:
		return usage("--webhook-tls-cert, --webhook-tls-key and --webhook-configuration: only with --webhook-address")
	case f.address == "":
		return nil
	case !cluster:
		return usage("--webhook-address: only for policies from a cluster; leave it out, or leave out --policies")
	case f.cert+f.key != "" && !files, files == (f.configuration != ""):
		return usage("--webhook-address: expected --webhook-tls-cert with --webhook-tls-key, or --webhook-configuration alone to have a certificate made")
	}
	return nil
}

type showCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// hook is the webhook, or none.
type hook struct{ server *webhook.Server }

// openWebhook listens and answers. Checks do not depend on it: what fails later
// is logged and ends nothing.
func (s *service) openWebhook(ctx context.Context) (hook, error) {
	f := &s.flags.webhook
	if f.address == "" {
		return hook{}, nil
	}
	certificate, keep, err := s.webhookCertificate()
	if err != nil {
		return hook{}, err
	}
	server, err := webhook.Listen(webhook.Config{
		Address: f.address, Log: s.log,
		Certificate: s.shown(certificate),
		Judge:       webhook.Judge{Options: s.options, HostnameGrants: s.kernel.HostnameGrants, Beside: s.kernel.Beside, CheckURL: s.client.Check},
		Reviewed:    s.metrics.Reviewed,
	})
	if err != nil {
		return hook{}, usage("--webhook-address: %v", err)
	}
	go keep(ctx)
	go func() {
		if err := server.Serve(); err != nil {
			s.log.Error("the webhook ended; checks go on", "error", err.Error())
		}
	}()
	s.log.Info("listening", "door", "webhook", "address", server.Addr().String())
	return hook{server}, nil
}

// shown is certificate, with a metric of when what it shows ends.
func (s *service) shown(certificate showCertificate) showCertificate {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		shown, err := certificate(hello)
		if err == nil {
			s.metrics.CertificateShown(shown.Leaf.NotAfter)
		}
		return shown, err
	}
}

// webhookCertificate is what to show, and what keeps it what it should be.
func (s *service) webhookCertificate() (show showCertificate, keep func(context.Context), err error) {
	f, c := &s.flags.webhook, &s.flags.cluster
	if f.cert != "" {
		certs, err := listen.LoadCertificates(listen.Config{
			TLSCert: f.cert, TLSKey: f.key, Flags: "webhook-",
			OnError: func(err error) { s.log.Error("webhook", "error", err.Error()) },
		})
		if err != nil {
			return nil, nil, usage("webhook: %v", err)
		}
		return certs.Certificate, certs.Watch, nil
	}
	config, clock := rest.CopyConfig(c.rest), &servingcert.ServerClock{}
	config.Wrap(clock.Wrap)
	secrets, err := core.NewForConfig(config)
	if err != nil {
		return nil, nil, usage("the cluster cannot be used: %v", err)
	}
	configurations, err := registration.NewForConfig(config)
	if err != nil {
		return nil, nil, usage("the cluster cannot be used: %v", err)
	}
	keeper := servingcert.New(servingcert.Config{
		Secrets:        secrets.Secrets(c.namespace),
		Configurations: configurations.ValidatingWebhookConfigurations(), Configuration: f.configuration,
		Clock: clock.Now, Log: s.log,
	})
	return keeper.Certificate, keeper.Run, nil
}

func (h hook) close() {
	if h.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = h.server.Shutdown(ctx) // what is cut off is asked again, of another replica
}
