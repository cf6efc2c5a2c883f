// Package telemetry says what the process does: to people in the log, to
// Prometheus in /metrics, to Kubernetes in /readyz. It decides nothing, and
// what it is handed are plain values: doors and sources do not know it.
//
// Start with the [Readiness], whose zero value is not ready, and the [Metrics]
// made of it. [DecisionLog.Observe] then stands between a door and the engine.
//
// No label and no text holds a credential or the content of a Secret.
package telemetry
