// Package v1alpha1 is the API of agentauth: one custom resource,
// AgentAuthPolicy, which says for a set of routes who may call
// (authentication), what they may do (authorization) and what the upstream
// learns of them (response).
//
// The field comments are what `kubectl explain` shows; the markers become the
// schema of the CRD in config/crd, and package validate holds policies that
// come from files to the same rules.
//
// +kubebuilder:object:generate=true
// +groupName=agentauth.dev
package v1alpha1
