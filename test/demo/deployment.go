package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// runDeployment does what a node would for a pod of the chart's Deployment: it runs agentauth with the arguments of
// the container, a token of the pod's account, and the files of its volumes.
func (s *stage) runDeployment(ctx context.Context, binary string) error {
	var d appsv1.Deployment
	if err := s.read(ctx, &d, "deployment", "agentauth"); err != nil {
		return err
	}
	pod := d.Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.Containers[0].Args) == 0 || pod.Containers[0].Args[0] != "serve" {
		return fmt.Errorf("expected a Deployment with one container that serves, got %+v", pod.Containers)
	}
	account, err := s.cluster.AccountKubeconfig(ctx, d.Namespace, pod.ServiceAccountName)
	if err != nil {
		return err
	}
	mounted := map[string]string{}
	for _, v := range pod.Volumes {
		if mounted[v.Name], err = s.volume(ctx, v); err != nil {
			return err
		}
	}
	args := []string{"--kubeconfig", account}
	for _, arg := range pod.Containers[0].Args[1:] {
		if strings.HasPrefix(arg, "--metrics-address=") {
			continue // in the one network of the demo that port is Envoy Gateway's
		}
		for _, m := range pod.Containers[0].VolumeMounts {
			arg = strings.ReplaceAll(arg, m.MountPath, mounted[m.Name])
		}
		args = append(args, arg)
	}
	if s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.dir, Binary: binary, Args: args}); err != nil {
		return err
	}
	s.stops = append(s.stops, s.agentauth.Stop)
	return nil
}

// volume writes the files of a projected volume, and returns their directory.
func (s *stage) volume(ctx context.Context, v corev1.Volume) (string, error) {
	if v.Projected == nil {
		return "", fmt.Errorf("volume %s: expected a projected one, got %+v", v.Name, v.VolumeSource)
	}
	dir := filepath.Join(s.dir, "volumes", v.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, source := range v.Projected.Sources {
		if source.Secret == nil {
			return "", fmt.Errorf("volume %s: expected Secrets, got %+v", v.Name, source)
		}
		var secret corev1.Secret
		if err := s.read(ctx, &secret, "secret", source.Secret.Name); err != nil {
			return "", err
		}
		for _, item := range source.Secret.Items {
			content, ok := secret.Data[item.Key]
			if !ok {
				return "", fmt.Errorf("volume %s: Secret %s has no %s", v.Name, secret.Name, item.Key)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(item.Path)), content, 0o600); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
}

// read gets an object of agentauth's namespace.
func (s *stage) read(ctx context.Context, into any, kind, name string) error {
	out, err := s.cluster.Kubectl(ctx, "", "get", kind, name, "-n", "agentauth-system", "-o", "json")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}
