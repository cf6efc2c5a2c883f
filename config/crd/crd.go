// Package crd is the CustomResourceDefinition that agentauth is built for.
package crd

import _ "embed"

// Policies is the manifest of the CRD of AgentAuthPolicy.
//
//go:embed agentauth.dev_agentauthpolicies.yaml
var Policies string
