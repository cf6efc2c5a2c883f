package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/revoke"
	"github.com/agentauth-dev/agentauth/authz/source"
)

// revocationStore has the ConfigMaps of revocations.
type revocationStore interface {
	// list returns those of a namespace; of all if it is "". The problems are of what
	// could not be read.
	list(ctx context.Context, namespace string) ([]revoke.ConfigMap, []authz.Problem, error)
	// add makes one, and says where.
	add(ctx context.Context, m *revocationMap, text []byte) (at string, err error)
	// remove removes the one that add made, and says from where.
	remove(ctx context.Context, namespace, name string) (from string, err error)
}

// revocationStoreFlags say where revocations are.
type revocationStoreFlags struct{ policies, kubeconfig, context, namespace string }

func (f *revocationStoreFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.policies, "policies", "", "directory of manifests, in which a file is made or removed")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig (default: its current one)")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "namespace of the ConfigMap: agentauth's own (all policies), or a tenant's")
}

// text is the flags as they are typed.
func (f *revocationStoreFlags) text() (out string) {
	for _, flag := range [][2]string{{"--policies", f.policies}, {"--kubeconfig", f.kubeconfig}, {"--context", f.context}, {"-n", f.namespace}} {
		if flag[1] != "" {
			out += " " + flag[0] + " " + flag[1]
		}
	}
	return out
}

// open opens the store; nil: none is named.
func (f *revocationStoreFlags) open() (revocationStore, error) {
	if f.namespace != "" {
		if err := namespaceNames("-n", []string{f.namespace}); err != nil {
			return nil, err
		}
	}
	switch {
	case f.policies != "" && f.kubeconfig != "":
		return nil, usage("--policies and --kubeconfig both say where revocations are: give one of them")
	case f.kubeconfig == "" && f.context != "":
		return nil, usage("--context: only with --kubeconfig")
	case f.policies != "":
		if info, err := os.Stat(f.policies); err != nil || !info.IsDir() {
			return nil, usage("--policies %s: expected a directory", f.policies)
		}
		return revocationFiles(f.policies), nil
	case f.kubeconfig == "":
		return nil, nil
	}
	config, from, err := kubeconfig(f.kubeconfig, f.context)
	if err != nil {
		return nil, err
	}
	rest, err := config.ClientConfig()
	if err != nil {
		return nil, usage("%s: %v", from, err)
	}
	rest.UserAgent = "agentauth/" + versionString()
	client, err := core.NewForConfig(rest)
	if err != nil {
		return nil, usage("%s: %v", from, err)
	}
	return &revocationCluster{client}, nil
}

// revocationFiles is a directory of manifests.
type revocationFiles string

func (d revocationFiles) list(_ context.Context, namespace string) (out []revoke.ConfigMap, problems []authz.Problem, err error) {
	files, known := policydir.Files(string(d))
	tree, remains, problems := manifest.ReadRemains(files, known...)
	var all []revoke.ConfigMap
	switch {
	case tree != nil:
		all, problems = tree.Input.Revocations, nil
	case remains != nil:
		all = remains.Revocations()
	}
	for _, m := range all {
		if namespace == "" || m.Namespace == namespace {
			out = append(out, m)
		}
	}
	return out, problems, nil
}

func (d revocationFiles) file(namespace, name string) string {
	return filepath.Join(string(d), "revocation-"+strings.TrimPrefix(namespace+"-"+name, "-")+".yaml")
}

// add writes the file at once: whoever watches the directory reads all of it.
func (d revocationFiles) add(_ context.Context, m *revocationMap, text []byte) (string, error) {
	path := d.file(m.Metadata.Namespace, m.name())
	tmp, err := os.CreateTemp(string(d), ".agentauth-*")
	if err != nil {
		return "", usage("--policies: %v", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	for _, then := range []func() error{func() error { return tmp.Chmod(0o644) }, tmp.Sync, tmp.Close} {
		if e := then(); err == nil {
			err = e
		}
	}
	if err == nil {
		err = os.Link(tmp.Name(), path) // never over another file
	}
	if os.IsExist(err) {
		return "", usage("%s: the file exists; nothing was changed. Another --name makes another file", path)
	}
	if err != nil {
		return "", usage("%s: %v; nothing was changed. Another --name makes another file", path, err)
	}
	return path, nil
}

// doubt says why a revocation refuses nobody by the files as they are; "" if it may, or
// where they cannot be read.
func (d revocationFiles) doubt(m *revocationMap) string {
	e, err := revoke.Parse(m.Metadata.Namespace, []byte(m.Data[m.name()]))
	files, known := policydir.Files(string(d))
	tree, _, _ := manifest.ReadRemains(files, known...)
	if err != nil || tree == nil {
		return ""
	}
	return source.RevokesNothing(tree, e)
}

// remove removes a file that holds this revocation and nothing else.
func (d revocationFiles) remove(_ context.Context, namespace, name string) (string, error) {
	path := d.file(namespace, name)
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", usage("%s: %v. One that was written by hand is removed by hand", path, errNoRevocation)
	} else if err != nil {
		return "", usage("%s: %v", path, err)
	}
	tree, _ := manifest.Read([]manifest.File{{Path: path, Data: data}})
	if tree == nil || len(tree.Input.Revocations) != 1 || len(tree.Input.Revocations[0].Data) != 1 || tree.Input.Revocations[0].Data[name] == nil || tree.Count()["ConfigMap"] != 1 || len(tree.Count()) != 1 {
		return "", usage("%s holds something else than this revocation alone; edit it by hand", path)
	}
	if err := os.Remove(path); err != nil {
		return "", usage("%s: %v", path, err)
	}
	return path, nil
}

// revocationCluster is a cluster.
type revocationCluster struct{ client core.ConfigMapsGetter }

func (c *revocationCluster) list(ctx context.Context, namespace string) (out []revoke.ConfigMap, _ []authz.Problem, err error) {
	o := metav1.ListOptions{LabelSelector: v1alpha1.LabelUse + "=" + v1alpha1.UseRevocations, Limit: 500}
	for {
		page, err := c.client.ConfigMaps(namespace).List(ctx, o)
		if err != nil {
			return nil, nil, usage("cannot list ConfigMaps: %v", err)
		}
		for i := range page.Items {
			m := manifest.ConfigMap(&page.Items[i])
			out = append(out, revoke.ConfigMap{Namespace: m.Namespace, Name: m.Name, Data: m.Data})
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return out, nil, nil
		}
	}
}

func (c *revocationCluster) add(ctx context.Context, m *revocationMap, _ []byte) (string, error) {
	if m.Metadata.Namespace == "" {
		return "", usage("-n: expected agentauth's own namespace, for all policies, or a tenant's, for its own")
	}
	at := m.Metadata.Namespace + "/" + m.name()
	_, err := c.client.ConfigMaps(m.Metadata.Namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: m.name(), Namespace: m.Metadata.Namespace, Labels: m.Metadata.Labels}, Data: m.Data}, metav1.CreateOptions{})
	if err != nil {
		return "", usage("ConfigMap %s: %v", at, err)
	}
	return "ConfigMap " + at + " of " + theCluster, nil
}

func (c *revocationCluster) remove(ctx context.Context, namespace, name string) (string, error) {
	if namespace == "" {
		return "", usage("-n: expected the namespace of the revocation")
	}
	at := namespace + "/" + name
	m, err := c.client.ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", usage("ConfigMap %s: %v; %v", at, err, errNoRevocation)
	}
	if _, has := m.Data[name]; !has || len(m.Data) != 1 || len(m.BinaryData) > 0 || m.Labels[v1alpha1.LabelUse] != v1alpha1.UseRevocations {
		return "", usage("ConfigMap %s holds something else than this revocation alone; edit it by hand", at)
	}
	err = c.client.ConfigMaps(namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &m.UID, ResourceVersion: &m.ResourceVersion}})
	if err != nil {
		return "", usage("ConfigMap %s: %v", at, err)
	}
	return fmt.Sprintf("ConfigMap %s of %s", at, theCluster), nil
}
