// Package istio proves agentauth behind a real Istio: istiod and its agents make real Envoys ask agentauth, whose
// policies come from the same real API server. It runs on Linux, in namespaces of its own.
package istio
