package engine

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// targeting makes a policy target an object instead of having routes.
func targeting(p *v1alpha1.AgentAuthPolicy, kind v1alpha1.TargetKind, name, section string) *v1alpha1.AgentAuthPolicy {
	p.Spec.Routes = nil
	p.Spec.TargetRefs = append(p.Spec.TargetRefs, v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: kind, Name: name, SectionName: section})
	return p
}

func overriding(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.Spec.Precedence = v1alpha1.PrecedenceOverride
	return p
}

// gatewayOf is a Gateway with one listener of port 80.
func gatewayOf(name string, hostname gatewayv1.Hostname) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       gatewayv1.GatewaySpec{GatewayClassName: class, Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: &hostname}}},
	}
}
