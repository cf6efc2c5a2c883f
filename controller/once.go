package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Once reads a cluster once, for a command that serves nobody: what a replica would
// compile, without hostname grants. own is agentauth's namespace, classesNamed is
// Config.GatewayClassesNamed. The problems are objects that cannot be read and are left
// out.
func Once(ctx context.Context, config *rest.Config, own string, classesNamed bool) (in engine.Input, problems []authz.Problem, err error) {
	connections, err := rest.HTTPClientFor(config)
	if err != nil {
		return in, nil, err
	}
	read, err := newReader(config, connections)
	if err != nil {
		return in, nil, err
	}
	o := once{ctx, read, &in, own, nil}
	for _, name := range []string{policiesCRD, "secrets", "configmaps", revocations} {
		if err := o.list(name, required[name]); err != nil {
			return in, nil, failed(name, err)
		}
	}
	if err := o.list(allNamespaces, version{"v1", &corev1.Namespace{}}); err != nil {
		return in, nil, failed(allNamespaces, err)
	}
	installed := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(optional)) {
		err := o.listBest(name)
		if err != nil && !apierrors.IsNotFound(err) {
			return in, nil, failed(name, err)
		}
		installed[name] = err == nil
	}
	in.NoGatewayClasses = installed[gateways] && !installed[gatewayClasses] && !classesNamed
	return in, o.problems, nil
}

type once struct {
	ctx      context.Context
	read     reader
	in       *engine.Input
	own      string
	problems []authz.Problem
}

// listBest lists the first version that the API server has.
func (o *once) listBest(name string) (err error) {
	for _, v := range optional[name] {
		if err = o.list(name, v); !apierrors.IsNotFound(err) {
			break
		}
	}
	return err
}

func (o *once) list(name string, v version) error {
	from, err := o.read(resourceOf(name), v.object, metav1.NamespaceAll)
	if err != nil {
		return err
	}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := from.ListWithContext(o.ctx, options)
		if err != nil {
			return err
		}
		if err := meta.EachListItem(page, func(obj runtime.Object) error { return o.add(name, v.object, obj) }); err != nil {
			return err
		}
		list, err := meta.ListAccessor(page)
		if err != nil {
			return err
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

func (o *once) add(name string, kind client.Object, obj runtime.Object) error {
	if used, ok := kind.(usedMap); ok {
		kind = used.ConfigMap
	}
	made, err := newItem(kind, obj)
	if err != nil {
		return err
	}
	i, ok := made.(*item)
	switch {
	case !ok:
		return fmt.Errorf("expected an object, got %T", made)
	case i.isGone():
	case name == revocations:
		o.in.Revocations = appendRevocations(o.in.Revocations, whoseRevocations(i, o.own), i, o.own)
	case i.unreadable != "":
		o.in.Unreadable = o.in.Unreadable || guards(name)
		o.problems = append(o.problems, authz.Problem{Severity: authz.Unresolved, Object: resourceOf(name) + " " + nameOf(i).String(), Message: "it cannot be read and is left out: " + i.unreadable})
	default:
		i.addTo(o.in)
	}
	return nil
}

// failed says which right or CRD is missing.
func failed(name string, err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the user of the kubeconfig may not list %s in all namespaces, as agentauth does; it needs the rights of agentauth's ClusterRole", name)
	case apierrors.IsUnauthorized(err):
		return errors.New("the API server does not know the user of the kubeconfig (401)")
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the API server has no %s; is the CRD installed?", name)
	}
	return fmt.Errorf("%s cannot be listed: %w", name, err)
}

func resourceOf(name string) string {
	resource, _, _ := strings.Cut(name, ".")
	return resource
}
