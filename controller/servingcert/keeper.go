package servingcert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// SecretName is the Secret of the certificate. It has to be there, empty at
	// first: the right to create Secrets cannot be given for one name.
	SecretName = "agentauth-webhook"
	// WebhookName is the entry of a ValidatingWebhookConfiguration that is ours;
	// others are let be.
	WebhookName = "agentauthpolicies.agentauth.dev"
)

// Defaults of Config.
const (
	DefaultValidity = 90 * 24 * time.Hour
	DefaultSettle   = 5 * time.Minute
	DefaultInterval = 30 * time.Second
)

// callWithin bounds one request to the API server.
const callWithin = 10 * time.Second

// Secrets are those of agentauth's own namespace.
type Secrets interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (*corev1.Secret, error)
	Update(ctx context.Context, s *corev1.Secret, o metav1.UpdateOptions) (*corev1.Secret, error)
}

// Configurations are the cluster's.
type Configurations interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (*registrationv1.ValidatingWebhookConfiguration, error)
	Patch(ctx context.Context, name string, t types.PatchType, data []byte, o metav1.PatchOptions, subresources ...string) (*registrationv1.ValidatingWebhookConfiguration, error)
}

// Config says what to keep. Zero durations are the defaults, and Clock is
// time.Now, where [ServerClock] is better; all else is needed.
type Config struct {
	Secrets        Secrets
	Configurations Configurations
	// Configuration is the name of the ValidatingWebhookConfiguration.
	Configuration string
	// Validity is how long a certificate is valid; after two thirds of it the
	// next is made.
	Validity time.Duration
	// Settle is how long the configuration trusts the next certificate before it
	// is served: API servers learn of a configuration late.
	Settle time.Duration
	// Interval is between two looks.
	Interval time.Duration
	Clock    func() time.Time
	Log      *slog.Logger
}

// Keeper keeps a certificate.
type Keeper struct {
	Config
	current atomic.Pointer[pair]

	// waiting is the next certificate, once the configuration was seen to trust
	// it, and since when.
	waiting *pair
	since   time.Time
}

// New makes a Keeper without a certificate; [Keeper.Run] gets it one.
func New(c Config) *Keeper {
	c.Validity = cmp.Or(c.Validity, DefaultValidity)
	c.Settle = cmp.Or(c.Settle, DefaultSettle)
	c.Interval = cmp.Or(c.Interval, DefaultInterval)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Keeper{Config: c}
}

// Certificate is for tls.Config: the certificate of the last look.
func (k *Keeper) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p := k.current.Load(); p != nil {
		return &p.Certificate, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// Run looks again and again, until ctx ends. What was got is served while the
// API server is away.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(k.Interval)
	defer tick.Stop()
	for told := ""; ; {
		text := ""
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != "" && text != told {
			k.Log.Warn("the webhook's certificate is not kept; it will be tried again", "error", text, "every", k.Interval.String())
		}
		told = text
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look does whatever is to be done now. It begins anew where another replica
// was faster.
func (k *Keeper) look(ctx context.Context) error {
	var err error
	for range 3 {
		if err = k.step(ctx); !apierrors.IsConflict(err) {
			break
		}
	}
	return err
}

// step reads the configuration before the Secret, and writes it only if it is
// still what was read: what another replica made it trust, because of a newer
// Secret, is never taken away.
func (k *Keeper) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	configuration, unreadable := k.Configurations.Get(ctx, k.Configuration, metav1.GetOptions{})
	secret, err := k.Secrets.Get(ctx, SecretName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("the Secret %s is expected to be there, empty at first: %w", SecretName, err)
	}
	m, broken := read(secret.Data)
	if broken != nil {
		k.Log.Warn("part of the webhook's Secret cannot be used and is made anew", "secret", SecretName, "error", broken.Error())
	}
	if unreadable != nil { // serve what there is
		k.serve(m.current)
		return unreadable
	}
	names := namesOf(configuration)
	if len(names) == 0 {
		k.serve(m.current)
		return fmt.Errorf("ValidatingWebhookConfiguration %s: expected an entry %s with a service or a url", k.Configuration, WebhookName)
	}
	next, err := m.advance(names, k.Clock(), k.Validity, k.settled(configuration, &m))
	if err != nil {
		return err
	}
	if data := next.data(); !maps.EqualFunc(data, secret.Data, bytes.Equal) {
		secret = secret.DeepCopy()
		secret.Data = data
		if _, err := k.Secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: "agentauth"}); err != nil {
			return err
		}
		k.tell(&m, &next)
	}
	k.serve(next.current)
	return k.publish(ctx, configuration, next.bundle())
}

func (k *Keeper) serve(p *pair) {
	if p != nil && !p.equal(k.current.Load()) {
		k.current.Store(p)
	}
}

func (k *Keeper) tell(was, is *material) {
	if !is.current.equal(was.current) {
		k.Log.Info("the webhook has a new certificate", "notAfter", is.current.Leaf.NotAfter)
	} else if is.next != nil && !is.next.equal(was.next) {
		k.Log.Info("the webhook's next certificate is made", "notAfter", is.next.Leaf.NotAfter)
	}
}
