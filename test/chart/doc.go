// Package chart proves charts/agentauth and config/default with the real Helm and a real API server (build tag
// e2e): what is rendered, that the API server takes it, that it can be installed, upgraded and uninstalled, and
// that agentauth works with the rights and the arguments that it is given there.
package chart
