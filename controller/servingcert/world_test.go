package servingcert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/controller/webhook"
)

// api is as much of an API server as there is to a certificate: one Secret and
// one configuration, with versions.
type api struct {
	mu            sync.Mutex
	version       int
	secret        corev1.Secret
	configuration registrationv1.ValidatingWebhookConfiguration
	writes        int
	// away makes every request fail. between runs once, after the Secret was
	// read and before the reader knows.
	away    error
	between func()
}

const configuration = "agentauth.agentauth-system"

func newAPI() *api {
	a := &api{}
	a.secret.ResourceVersion, a.configuration.ResourceVersion = "0", "0"
	service := &registrationv1.ServiceReference{Name: "agentauth", Namespace: "agentauth-system"}
	a.configuration.Webhooks = []registrationv1.ValidatingWebhook{
		{Name: "somebody.else.example", ClientConfig: registrationv1.WebhookClientConfig{Service: service, CABundle: []byte("theirs")}},
		{Name: WebhookName, ClientConfig: registrationv1.WebhookClientConfig{Service: service}},
	}
	return a
}

type secrets struct{ *api }

func (s secrets) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	out, away := s.secret.DeepCopy(), s.away
	s.mu.Unlock()
	if f := s.between; f != nil {
		s.between = nil
		f()
	}
	if away != nil || name != SecretName {
		return nil, errors.Join(away, errors.New("no such Secret"))
	}
	return out, nil
}

func (s secrets) Update(_ context.Context, o *corev1.Secret, _ metav1.UpdateOptions) (*corev1.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conflict(o.ResourceVersion, s.secret.ResourceVersion); err != nil {
		return nil, err
	}
	s.secret = *o.DeepCopy()
	s.secret.ResourceVersion = s.next()
	return o, nil
}

func (a *api) next() string {
	a.version++
	a.writes++
	return strconv.Itoa(a.version)
}

func (a *api) conflict(theirs, ours string) error {
	if theirs != ours {
		return apierrors.NewConflict(schema.GroupResource{}, "it", errors.New("it changed"))
	}
	return a.away
}

type configurations struct{ *api }

func (c configurations) Get(context.Context, string, metav1.GetOptions) (*registrationv1.ValidatingWebhookConfiguration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.configuration.DeepCopy(), c.away
}

func (c configurations) Patch(_ context.Context, _ string, kind types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*registrationv1.ValidatingWebhookConfiguration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var patch struct {
		Metadata struct{ ResourceVersion string }
		Webhooks []struct {
			Name         string
			ClientConfig struct{ CABundle []byte }
		}
	}
	if err := json.Unmarshal(data, &patch); err != nil || kind != types.StrategicMergePatchType {
		return nil, errors.Join(err, errors.New("expected a strategic merge patch"))
	}
	if err := c.conflict(patch.Metadata.ResourceVersion, c.configuration.ResourceVersion); err != nil {
		return nil, err
	}
	for _, w := range patch.Webhooks {
		for i := range c.configuration.Webhooks {
			if c.configuration.Webhooks[i].Name == w.Name {
				c.configuration.Webhooks[i].ClientConfig.CABundle = w.ClientConfig.CABundle
			}
		}
	}
	c.configuration.ResourceVersion = c.next()
	return nil, nil
}

// bundle is what our entry trusts.
func (a *api) bundle() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.configuration.Webhooks[1].ClientConfig.CABundle
}

// clock is set by the test.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

var noon = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

func keeper(a *api, c *clock) *Keeper {
	return New(Config{
		Secrets: secrets{a}, Configurations: configurations{a}, Configuration: configuration,
		Clock: c.time, Log: slog.New(slog.DiscardHandler),
	})
}

func look(t *testing.T, keepers ...*Keeper) {
	t.Helper()
	for _, k := range keepers {
		if err := k.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func serial(t *testing.T, k *Keeper) string {
	t.Helper()
	c, err := k.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func authoritiesIn(bundle []byte) int { return strings.Count(string(bundle), "BEGIN CERTIFICATE") }

// serve is the real webhook with the keeper's certificate.
func serve(t *testing.T, k *Keeper) net.Addr {
	t.Helper()
	s, err := webhook.Listen(webhook.Config{
		Address: "127.0.0.1:0", Certificate: k.Certificate, Log: slog.New(slog.DiscardHandler), Reviewed: func(string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	t.Cleanup(func() { _ = s.Shutdown(context.WithoutCancel(t.Context())) })
	return s.Addr()
}

// ask makes a new connection as an API server with this bundle does, and has a
// deletion reviewed.
func ask(t *testing.T, at net.Addr, bundle []byte, now func() time.Time) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "agentauth.agentauth-system.svc", Time: now,
	}}
	const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"DELETE",
		"resource":{"group":"agentauth.dev","version":"v1alpha1","resource":"agentauthpolicies"}}}`
	resp, err := (&http.Client{Transport: transport}).Post("https://"+at.String()+webhook.Path, "application/json", strings.NewReader(review))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(answer), `"allowed":true`) {
		err = errors.New(string(answer))
	}
	return err
}
