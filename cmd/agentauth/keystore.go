package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// keyStore has the Secrets of API keys.
type keyStore interface {
	// list returns the Secrets of a namespace; of all if it is "".
	list(ctx context.Context, namespace string) ([]*keySecret, error)
	// change changes a Secret as it is now. An empty namespace is the only one that
	// has it.
	change(ctx context.Context, namespace, name string, decide func(*keySecret) (keyChange, error)) (*keySecret, error)
}

// keyStoreFlags say where Secrets are.
type keyStoreFlags struct{ policies, kubeconfig, context, namespace string }

func (f *keyStoreFlags) register(cmd *cobra.Command, all string) {
	flags := cmd.Flags()
	flags.StringVar(&f.policies, "policies", "", "directory of manifests, whose files are changed")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig (default: its current one)")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "namespace of the Secret"+all)
}

func (f *keyStoreFlags) open(cmd *cobra.Command) (keyStore, error) {
	switch {
	case f.policies != "" && f.kubeconfig != "":
		return nil, usage("--policies and --kubeconfig both say where the Secrets are: give one of them")
	case f.policies != "" && f.context != "":
		return nil, usage("--context: only with --kubeconfig")
	case f.policies != "":
		return &keyFiles{path: f.policies}, nil
	case f.kubeconfig == "":
		return nil, usage("%s: expected --policies DIR, or --kubeconfig FILE", commandWords(cmd))
	}
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: f.kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: f.context})
	rest, err := config.ClientConfig()
	if err != nil {
		return nil, usage("--kubeconfig %s: %v", f.kubeconfig, err)
	}
	rest.UserAgent = "agentauth/" + versionString()
	client, err := core.NewForConfig(rest)
	if err != nil {
		return nil, usage("--kubeconfig %s: %v", f.kubeconfig, err)
	}
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, usage("--kubeconfig %s: %v", f.kubeconfig, err)
	}
	return &keyCluster{client, namespace}, nil
}

// keyCluster is a cluster.
type keyCluster struct {
	client    core.SecretsGetter
	namespace string // of the context
}

const theCluster = "the cluster"

func keySecretOf(s *corev1.Secret) *keySecret {
	return &keySecret{Namespace: s.Namespace, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations, Data: s.Data, Where: theCluster}
}

func (k *keyCluster) list(ctx context.Context, namespace string) (out []*keySecret, err error) {
	o := metav1.ListOptions{LabelSelector: v1alpha1.LabelUse + "=" + v1alpha1.UseAPIKey, Limit: 500}
	for {
		page, err := k.client.Secrets(namespace).List(ctx, o)
		if err != nil {
			return nil, usage("cannot list Secrets: %v", err)
		}
		for i := range page.Items {
			out = append(out, keySecretOf(&page.Items[i]))
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return out, nil
		}
	}
}

func (k *keyCluster) change(ctx context.Context, namespace, name string, decide func(*keySecret) (keyChange, error)) (s *keySecret, err error) {
	if namespace == "" {
		namespace = k.namespace
	}
	secrets := k.client.Secrets(namespace)
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		got, err := secrets.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s = keySecretOf(got)
		if err := usableForKeys(s); err != nil {
			return err
		}
		if got.Immutable != nil && *got.Immutable {
			return usage("%s is immutable; make another Secret with agentauth key issue, and delete this one", s)
		}
		c, err := decide(s)
		if err != nil {
			return err
		}
		c.apply(s)
		got.Data, got.Annotations = s.Data, s.Annotations
		_, err = secrets.Update(ctx, got, metav1.UpdateOptions{})
		return err
	})
	if e := (exit{}); err != nil && !errors.As(err, &e) {
		err = usage("Secret %s/%s: %v", namespace, name, err)
	}
	return s, err
}

func usableForKeys(s *keySecret) error {
	if use := s.Labels[v1alpha1.LabelUse]; use != v1alpha1.UseAPIKey {
		return usage("%s is not labelled %s: %s, so it holds no API keys", s, v1alpha1.LabelUse, v1alpha1.UseAPIKey)
	}
	return nil
}
