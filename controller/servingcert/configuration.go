package servingcert

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"

	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// settled says whether the configuration was seen to trust the next certificate
// for long enough, without a break.
func (k *Keeper) settled(c *registrationv1.ValidatingWebhookConfiguration, m *material) bool {
	now, bundle := k.Clock(), m.bundle()
	for _, w := range own(c) {
		if m.next == nil || !bytes.Equal(w.ClientConfig.CABundle, bundle) {
			k.waiting = nil
			return false
		}
	}
	if !m.next.equal(k.waiting) || now.Before(k.since) { // a clock that was set back
		k.waiting, k.since = m.next, now
	}
	return !now.Before(k.since.Add(k.Settle))
}

// publish makes our entries trust the bundle. A strategic merge patch finds them
// by name and touches nothing else, also of what this version does not know.
func (k *Keeper) publish(ctx context.Context, c *registrationv1.ValidatingWebhookConfiguration, bundle []byte) error {
	var entries []any
	for _, w := range own(c) {
		if !bytes.Equal(w.ClientConfig.CABundle, bundle) {
			entries = append(entries, map[string]any{"name": w.Name, "clientConfig": map[string]any{"caBundle": bundle}})
		}
	}
	if entries == nil {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": c.ResourceVersion}, "webhooks": entries})
	if err != nil {
		return err
	}
	_, err = k.Configurations.Patch(ctx, k.Configuration, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "agentauth"})
	if err == nil {
		k.Log.Info("the webhook's configuration trusts its certificates", "configuration", k.Configuration)
	}
	return err
}

// own are our entries. Names are unique, so it is one or none.
func own(c *registrationv1.ValidatingWebhookConfiguration) (out []registrationv1.ValidatingWebhook) {
	for _, w := range c.Webhooks {
		if w.Name == WebhookName {
			out = append(out, w)
		}
	}
	return out
}

// namesOf are the names that API servers look for in the certificate.
func namesOf(c *registrationv1.ValidatingWebhookConfiguration) []string {
	var out []string
	for _, w := range own(c) {
		if s := w.ClientConfig.Service; s != nil {
			out = append(out, s.Name+"."+s.Namespace+".svc")
		} else if w.ClientConfig.URL != nil {
			if u, err := url.Parse(*w.ClientConfig.URL); err == nil && u.Hostname() != "" {
				out = append(out, u.Hostname())
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}
