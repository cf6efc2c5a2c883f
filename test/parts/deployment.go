package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Deployment reads one of agentauth.
func (c *Cluster) Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	return d, c.getJSON(ctx, d, "deployment", name, "-n", namespace)
}

// PodArgs does in dir what a node would for a pod of a Deployment of agentauth: it writes the files of its volumes.
// What it returns are the arguments of the container after serve. Flags of here have that value if they are there, or
// are left out where it is empty.
func (c *Cluster) PodArgs(ctx context.Context, d *appsv1.Deployment, dir string, here map[string]string) ([]string, error) {
	pod := d.Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.Containers[0].Args) == 0 || pod.Containers[0].Args[0] != "serve" {
		return nil, fmt.Errorf("expected a Deployment with one container that serves, got %+v", pod.Containers)
	}
	volumes := filepath.Join(dir, "volumes")
	for _, v := range pod.Volumes {
		if err := c.mount(ctx, d.Namespace, v, filepath.Join(volumes, v.Name)); err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	var args []string
	for _, arg := range pod.Containers[0].Args[1:] {
		flag, _, _ := strings.Cut(arg, "=")
		if value, ok := here[flag]; ok {
			if value != "" {
				args = append(args, flag+"="+value)
			}
			continue
		}
		for _, m := range pod.Containers[0].VolumeMounts {
			arg = strings.ReplaceAll(arg, m.MountPath, filepath.Join(volumes, m.Name))
		}
		args = append(args, arg)
	}
	return args, nil
}

// mount writes the files of a volume of Secrets and ConfigMaps.
func (c *Cluster) mount(ctx context.Context, namespace string, v corev1.Volume, dir string) error {
	var sources []corev1.VolumeProjection
	switch {
	case v.Projected != nil:
		sources = v.Projected.Sources
	case v.Secret != nil:
		sources = []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: v.Secret.SecretName}, Items: v.Secret.Items,
		}}}
	case v.EmptyDir != nil:
	default:
		return fmt.Errorf("expected a projected one, a Secret or an emptyDir, got %+v", v.VolumeSource)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, source := range sources {
		var items []corev1.KeyToPath
		contents, err := map[string][]byte{}, errors.New("expected Secrets and ConfigMaps")
		if s := source.Secret; s != nil {
			var secret corev1.Secret
			err = c.getJSON(ctx, &secret, "secret", s.Name, "-n", namespace)
			items, contents = s.Items, secret.Data
		} else if m := source.ConfigMap; m != nil {
			var config corev1.ConfigMap
			err = c.getJSON(ctx, &config, "configmap", m.Name, "-n", namespace)
			for key, text := range config.Data {
				contents[key] = []byte(text)
			}
			items = m.Items
		}
		if err != nil {
			return err
		}
		for _, item := range items {
			content, ok := contents[item.Key]
			if !ok {
				return fmt.Errorf("expected %s in %+v", item.Key, source)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(item.Path)), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
