package controller

import (
	"errors"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// newReader reads kinds from the API server.
func newReader(rc *rest.Config, connections *http.Client) (reader, error) {
	types, sent := runtime.NewScheme(), runtime.NewScheme()
	err := errors.Join(corev1.AddToScheme(types), crdv1.AddToScheme(types), gatewayv1.Install(types), gatewayv1beta1.Install(types),
		v1alpha1.AddToScheme(types), corev1.AddToScheme(sent))
	if err != nil {
		return nil, err
	}
	for _, v := range versions() {
		if gvk, err := apiutil.GVKForObject(v.object, types); err != nil {
			return nil, err
		} else if gvk.Group != corev1.GroupName {
			addReceived(sent, gvk)
		}
	}
	codecs := serializer.NewCodecFactory(sent)
	return func(resource string, kind client.Object, namespace string) (*toolscache.ListWatch, error) {
		used, ofUse := kind.(usedMap)
		if ofUse {
			kind = used.ConfigMap
		}
		gvk, err := apiutil.GVKForObject(kind, types)
		if err != nil {
			return nil, err
		}
		from, err := apiutil.RESTClientForGVK(gvk, gvk.Group != corev1.GroupName, false, rc, codecs, connections)
		if err != nil {
			return nil, err
		}
		return toolscache.NewFilteredListWatchFromClient(from, resource, namespace, func(o *metav1.ListOptions) {
			if o.LabelSelector = labelled(kind); ofUse {
				o.LabelSelector = v1alpha1.LabelUse + "=" + used.use
			}
		}), nil
	}, nil
}

// labelled selects the objects of a kind that are of use: of Secrets and
// ConfigMaps those that their owners labelled for a use that there is.
func labelled(kind client.Object) string {
	var uses []string
	switch kind.(type) {
	case *corev1.Secret:
		uses = []string{v1alpha1.UseAPIKey, v1alpha1.UseBasic, v1alpha1.UseCA, v1alpha1.UseClient, v1alpha1.UseHMAC, v1alpha1.UseJWKS, v1alpha1.UseProvider, v1alpha1.UseSigning}
	case *corev1.ConfigMap:
		uses = []string{v1alpha1.UseCA, v1alpha1.UseJWKS}
	default:
		return ""
	}
	return v1alpha1.LabelUse + " in (" + strings.Join(uses, ",") + ")"
}
