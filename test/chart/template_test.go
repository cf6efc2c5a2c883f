//go:build e2e

package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	trusting  = "door: {trustNetwork: true}\n"
	withTLS   = "door: {tls: {secretName: door, clientNames: [envoy.example.com]}}\n"
	withCerts = `
door: {tls: {certManager: {issuerRef: {name: ca, kind: ClusterIssuer}}, clientNames: ["spiffe://mesh.example/gateway", other.example.com], clientCA: {configMapName: roots, key: roots.pem}}}
explain: {clientNames: ["spiffe://mesh.example/operator"]}
`
	withWebhook = trusting + "webhook: {enabled: true}\n"
	// everything sets whatever can be set beside withCerts.
	everything = withCerts + `
networkPolicy: {gatewayNamespaces: [gateways, ingress], metricsNamespaces: [monitoring], apiServerCIDRs: [10.0.0.0/28, "fd00::/64"]}
httpDoor: {enabled: true, dialect: traefik, headers: [authorization, x-agent-id], port: 9012}
webhook: {enabled: true, failurePolicy: Fail, port: 9444, certManager: {issuerRef: {name: inner, kind: ClusterIssuer}}}
watchNamespaces: [shop, bank]
hostnames: {shop: ["*.shop.example.com", shop.example.com], bank: ["*"]}
gatewayClasses: [envoy, gateways.example.com]
unmatched: allow-unauthenticated
pathCase: exact
trustContextPolicy: true
trustForwardedHeaders: true
trustPrincipal: true
trustXFCC: true
trustMCPMetadata: true
kubernetesReviews: true
maxConfigAge: 1h30m
egress: {allowHTTP: true, allowCIDRs: [10.0.0.0/8, "fd00::/8"], proxy: "http://proxy.example.com:3128"}
replayStore: {url: "rediss://agentauth@redis.example.com:6380/1", secretName: redis, ca: true}
tracing: {endpoint: "http://collector.example.com:4317", insecure: true, sampleRatio: 0.5, maxPerSecond: 20}
audit: {stdout: true, file: {volume: {emptyDir: {sizeLimit: 1Gi}}, maxSizeMiB: 50, maxAgeDays: 30, maxBackups: 3}, otlp: {endpoint: "collector.example.com:4317", insecure: true}, path: template, allows: "0.1", allowsFor: {shop/catalog: 0.01, "chat/*": 1, chat/low: none}, claims: [department], required: true}
log: {level: debug, format: text}
drainDelaySeconds: 3
pprofPort: 6060
drainSeconds: 20
preStopSeconds: 7
image: {repository: registry.example.com/agentauth, tag: v9, pullPolicy: Always}
imagePullSecrets: [{name: pull}]
autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 7, targetCPUUtilizationPercentage: 55}
podDisruptionBudget: {maxUnavailable: 25%}
resources: {requests: {cpu: 1}, limits: {memory: 2Gi}}
commonLabels: {cost: "42"}
deploymentAnnotations: {owner: platform}
podLabels: {team: platform}
podAnnotations: {note: "1"}
podSecurityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
livenessProbe: {periodSeconds: 20}
readinessProbe: {failureThreshold: 2}
extraArgs: [--egress-allow-cidr=192.0.2.0/24]
extraEnv: [{name: SSL_CERT_DIR, value: /etc/roots}]
extraVolumes: [{name: roots, emptyDir: {}}]
extraVolumeMounts: [{name: roots, mountPath: /etc/roots, readOnly: true}]
hostnameGrants: {news: [news.example.com, "*.news.example.com"]}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: edge, operator: Exists, effect: NoSchedule}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: DoesNotExist}]}]}}}
priorityClassName: system-cluster-critical
topologySpreadConstraints: [{topologyKey: rack, maxSkew: 2, whenUnsatisfiable: DoNotSchedule}]
service: {annotations: {a: b}}
serviceAccount: {name: decider, annotations: {c: d}}
serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 15s}
prometheusRule: {enabled: true, labels: {release: prometheus}, disabled: [AgentauthPanics], additionalGroups: [{name: mine, rules: [{alert: Mine, expr: up == 0}]}]}
dashboard: {enabled: true, labels: {grafana_dashboard: shown}, annotations: {grafana_folder: agents}}
`
)

func TestWithoutAChoiceOfWhoIsAtTheDoorNothingIsRendered(t *testing.T) {
	out, err := render(t, "")
	if err == nil {
		t.Fatalf("expected an error, got\n%s", out)
	}
	for _, want := range []string{"door.tls.secretName", "door.tls.certManager.issuerRef.name", "door.tls.clientNames", "door.trustNetwork"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q in: %v", want, err)
		}
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		trusting + "replayStore: {secretName: redis}":                                                             "replayStore.url",
		trusting + "replayStore: {url: \"redis://redis.example.com\", ca: true}":                                  "replayStore.secretName",
		trusting + "audit: {required: true}":                                                                      "audit.required: expected where to record",
		trusting + "audit: {allows: 0.1}":                                                                         "audit: expected where to record",
		trusting + "audit: {allowsFor: {shop/catalog: 0.1}}":                                                      "audit: expected where to record",
		trusting + "audit: {path: template}":                                                                      "audit: expected where to record",
		trusting + "audit: {claims: [department]}":                                                                "audit: expected where to record",
		trusting + "audit: {stdout: true, file: {maxBackups: 400}}":                                               "audit.file: expected audit.file.volume",
		trusting + "audit: {stdout: true, otlp: {insecure: true}}":                                                "audit.otlp.insecure: expected audit.otlp.endpoint",
		trusting + "audit: {otlp: {endpoint: 'https://collector.example.com', insecure: true}}":                   "audit.otlp: endpoint is https",
		trusting + "audit: {otlp: {endpoint: collector.example.com}}":                                             "endpoint",
		trusting + "tracing: {endpoint: collector.example.com}":                                                   "endpoint",
		trusting + "audit: {stdout: true, path: half}":                                                            "path",
		trusting + "audit: {otlp: {endpoint: 'https://user:hunter2@collector.example.com'}}":                      "endpoint",
		trusting + "audit: {stdout: true, allows: \"1.5\"}":                                                       "allows",
		trusting + "audit: {stdout: true, allows: 1.5}":                                                           "allows",
		trusting + "audit: {stdout: true, allowsFor: {catalog: 0.1}}":                                             "catalog",
		trusting + "audit: {stdout: true, allowsFor: {shop/catalog: 1.5}}":                                        "catalog",
		trusting + "audit: {stdout: true, allowsFor: {shop/catalog: 10%}}":                                        "catalog",
		"door: {trustNetwork: true, tls: {secretName: a, clientNames: [b]}}":                                      "expected one of the two",
		"door: {tls: {secretName: a}}":                                                                            "door.tls.clientNames: expected",
		"door: {tls: {clientNames: [b]}}":                                                                         "expected the door's certificate",
		"door: {tls: {secretName: a, clientNames: [b], certManager: {issuerRef: {name: c}}}}":                     "the door has one certificate",
		"door: {tls: {secretName: a, clientNames: [b], clientCA: {secretName: c, configMapName: d}}}":             "expected one of secretName and configMapName",
		"door: {tls: {secretName: a, clientNames: ['one,two']}}":                                                  "clientNames",
		trusting + "explain: {clientNames: [a]}":                                                                  "explain.clientNames: expected door.tls",
		withTLS + "explain: {clientNames: ['*']}":                                                                 "clientNames",
		withTLS + "extraArgs: [--explain-client-name=a]":                                                          "extraArgs: expected no --explain-client-name",
		trusting + "serviceMonitor: {enabled: true}":                                                              "networkPolicy.metricsNamespaces: expected",
		trusting + "serviceAccount: {create: false}":                                                              "serviceAccount.name: expected",
		trusting + "unmatched: allow":                                                                             "unmatched",
		trusting + "pathCase: lower":                                                                              "pathCase",
		trusting + "log: {level: loud}":                                                                           "level",
		trusting + "maxConfigAge: 5":                                                                              "maxConfigAge",
		trusting + "hostnames: {shop: [UPPER.example.com]}":                                                       "hostnames",
		trusting + "hostnames: {shop: []}":                                                                        "hostnames",
		trusting + "gatewayClasses: ['']":                                                                         "gatewayClasses",
		trusting + "gatewayClasses: envoy":                                                                        "gatewayClasses",
		trusting + "watchNamespaces: ['']":                                                                        "watchNamespaces",
		trusting + "image: {digest: sha256:12}":                                                                   "digest",
		trusting + "image: {repository: ''}":                                                                      "image.repository: expected your image",
		trusting + "image: {repository: 'a b'}":                                                                   "repository",
		trusting + "commonLabels: {app.kubernetes.io/name: x}":                                                    "commonLabels: expected no app.kubernetes.io/name",
		trusting + "extraArgs: [--trust-network]":                                                                 "extraArgs: expected no --trust-network",
		trusting + "extraArgs: [policies]":                                                                        "extraArgs",
		trusting + "hostnames: {shop: [a.example.com]}\nhostnameGrants: {shop: [b.example.com]}":                  "hostnameGrants.shop: expected",
		trusting + "hostnameGrants: {shop: []}":                                                                   "hostnameGrants",
		trusting + "extraEnv: [{value: x}]":                                                                       "extraEnv",
		trusting + "commonLabels: {a: b}\npodLabels: {a: c}":                                                      "podLabels: expected no a",
		trusting + "replicas: two":                                                                                "replicas",
		"door: {trustNetwork: 'true'}":                                                                            "trustNetwork",
		"door: {trustNetwork: true, port: 8080}":                                                                  "port",
		trusting + "webhook: {enabled: true, failurePolicy: Maybe}":                                               "failurePolicy",
		trusting + "webhook: {enabled: true, port: 9001}":                                                         "webhook.port: expected",
		trusting + "webhook: {enabled: true, secretName: a}":                                                      "webhook: expected secretName and caBundle",
		trusting + "webhook: {enabled: true, caBundle: YQ==}":                                                     "webhook: expected secretName and caBundle",
		trusting + "webhook: {enabled: true, secretName: a, caBundle: YQ==, certManager: {issuerRef: {name: b}}}": "webhook: expected one of",
		trusting + "httpDoor: {enabled: true, headers: [a]}":                                                      "httpDoor.dialect: expected",
		trusting + "httpDoor: {enabled: true, dialect: nginx}":                                                    "httpDoor.headers: expected",
		trusting + "httpDoor: {enabled: true, dialect: nginx, headers: [a], port: 9001}":                          "httpDoor.port: expected",
		trusting + "httpDoor: {enabled: true, dialect: haproxy, headers: [a]}":                                    "dialect",
		trusting + "extraArgs: [--http-address=:9002]":                                                            "extraArgs: expected no --http-address",
		trusting + "kubernetesReviews: 'yes'":                                                                     "kubernetesReviews",
	} {
		if out, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error that says %q, got %v\n%.200s", values, want, err, out)
		}
	}
}

// closed walks the schema and names every object of which no unknown field is taken.
func closed(schema map[string]any, path []string, visit func(path []string, properties map[string]any)) {
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return
	}
	if schema["additionalProperties"] == false {
		visit(path, properties)
	}
	for name, p := range properties {
		closed(p.(map[string]any), append(slices.Clone(path), name), visit)
	}
}

// at is the schema of a value.
func at(schema map[string]any, path []string) map[string]any {
	for _, step := range path {
		schema = schema["properties"].(map[string]any)[step].(map[string]any)
	}
	return schema
}

func TestEveryValueIsInTheSchemaAndNoOtherIsTaken(t *testing.T) {
	var schema map[string]any
	data, err := os.ReadFile("../../charts/agentauth/values.schema.json")
	must(t, err)
	must(t, json.Unmarshal(data, &schema))
	var defaults object
	data, err = os.ReadFile("../../charts/agentauth/values.yaml")
	must(t, err)
	must(t, yaml.UnmarshalStrict(data, &defaults))

	n := 0
	closed(schema, nil, func(path []string, properties map[string]any) {
		n++
		in := any(map[string]any(defaults))
		if len(path) > 0 {
			in = defaults.at(strings.Join(path, "."))
		}
		required, _ := at(schema, path)["required"].([]any)
		for name := range properties {
			if name != "global" && !slices.Contains(required, any(name)) {
				t.Errorf("%q: expected the schema to require it, or null turns it off", append(path, name))
			}
			if _, there := in.(map[string]any)[name]; !there && name != "global" {
				t.Errorf("the schema has %q, values.yaml has not", append(path, name))
			}
		}
		unknown := map[string]any{"unknownField": 1}
		for _, step := range slices.Backward(path) {
			unknown = map[string]any{step: unknown}
		}
		values, err := json.Marshal(unknown)
		must(t, err)
		if _, err := render(t, string(values)); err == nil || !strings.Contains(err.Error(), "unknownField") {
			t.Errorf("%s: expected the unknown field to be refused, got %v", values, err)
		}
	})
	if n < 10 {
		t.Errorf("expected at least 10 closed objects in the schema, found %d", n)
	}
	if _, err := render(t, trusting+"global: {anything: 1}"); err != nil {
		t.Errorf("as a subchart: %v", err)
	}
}

func TestWhatAValueRenders(t *testing.T) {
	const pod = "spec.template.spec."
	const container = pod + "containers.0."
	rendered := map[string][]object{}
	for _, c := range []struct{ values, kind, name, path, want string }{
		{trusting, "Deployment", "", "spec.replicas", "2"},
		{trusting, "Deployment", "", pod + "securityContext", "{runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}"},
		{trusting, "Deployment", "", container + "securityContext", "{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}"},
		{trusting, "Deployment", "", container + "args", "[serve, '--grpc-address=:9001', '--metrics-address=:8080', --trust-network, --unmatched=deny, --path-case=fold, --max-config-age=0s, --log-level=info, --log-format=json, --drain=10s]"},
		{trusting + "drainDelaySeconds: 3", "Deployment", "", pod + "terminationGracePeriodSeconds", "23"},
		{trusting, "Deployment", "", container + "image", "registry.example.com/agentauth:0.1.0"},
		{trusting, "Deployment", "", pod + "topologySpreadConstraints.0.topologyKey", "kubernetes.io/hostname"},
		{trusting, "Deployment", "", pod + "volumes", ""},
		{trusting, "Service", "", "spec.ports.0", "{name: grpc, port: 9001, targetPort: grpc, appProtocol: kubernetes.io/h2c}"},
		{trusting, "PodDisruptionBudget", "", "spec.maxUnavailable", "1"},
		{trusting, "HorizontalPodAutoscaler", "", "kind", ""},
		{trusting, "ServiceMonitor", "", "kind", ""},
		{trusting, "Certificate", "", "kind", ""},
		{trusting, "NetworkPolicy", "", "spec.policyTypes", "[Ingress]"},
		{trusting, "NetworkPolicy", "", "spec.ingress", ""}, // nobody; an empty list of peers would be everybody
		{trusting, "ClusterRole", "agentauth:agentauth-system", "rules", `[{apiGroups: [agentauth.dev], resources: [agentauthpolicies], verbs: [list, watch]},
			{apiGroups: [agentauth.dev], resources: [agentauthpolicies/status], verbs: [patch]},
			{apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]},
			{apiGroups: [""], resources: [secrets, configmaps], verbs: [list, watch]},
			{apiGroups: [gateway.networking.k8s.io], resources: [httproutes, grpcroutes, gateways, listenersets, referencegrants], verbs: [list, watch]}]`},
		{trusting, "ClusterRole", "agentauth-cluster:agentauth-system", "rules", `[{apiGroups: [""], resources: [namespaces], verbs: [list, watch]},
			{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [list, watch]},
			{apiGroups: [gateway.networking.k8s.io], resources: [gatewayclasses], verbs: [list, watch]}]`},
		{trusting + "gatewayClasses: [a]\nkubernetesReviews: true", "ClusterRole", "agentauth-cluster:agentauth-system", "rules", `[{apiGroups: [""], resources: [namespaces], verbs: [list, watch]},
			{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [list, watch]},
			{apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]},
			{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}]`},
		{trusting, "Role", "agentauth-status", "metadata.namespace", "agentauth-system"},
		{trusting, "Role", "agentauth-status", "rules", `[{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]},
			{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [agentauth-status], verbs: [get, update]},
			{apiGroups: [""], resources: [configmaps], verbs: [list, watch]}]`},
		{trusting, "CustomResourceDefinition", "", "metadata.annotations.helm~sh/resource-policy", "keep"},
		{trusting + "replicas: 3", "Deployment", "", "spec.replicas", "3"},
		{trusting + "crds: {enabled: false}", "CustomResourceDefinition", "", "kind", ""},
		{trusting + "networkPolicy: {enabled: false}", "NetworkPolicy", "", "kind", ""},
		{trusting + "podDisruptionBudget: {enabled: false}", "PodDisruptionBudget", "", "kind", ""},
		{trusting + "preStopSeconds: 0", "Deployment", "", container + "lifecycle", ""},
		{trusting + "serviceAccount: {create: false, name: mine}", "ServiceAccount", "", "kind", ""},
		{trusting + "serviceAccount: {create: false, name: mine}", "Deployment", "", pod + "serviceAccountName", "mine"},
		{trusting + "fullnameOverride: gate", "Service", "", "metadata.name", "gate"},
		{trusting + "nameOverride: gate", "Service", "", "metadata.name", "agentauth-gate"},
		{trusting + "image: {digest: sha256:" + strings.Repeat("a", 64) + "}", "Deployment", "", container + "image", "registry.example.com/agentauth@sha256:" + strings.Repeat("a", 64)},
		{"door: {trustNetwork: true, port: 9443}", "Service", "", "spec.ports.0.port", "9443"},
		{"door: {trustNetwork: true, port: 9443}", "Deployment", "", container + "ports.0.containerPort", "9443"},
		{"door: {trustNetwork: true, port: 9443}", "Deployment", "", container + "args.1", "'--grpc-address=:9443'"},

		{withTLS, "Service", "", "spec.ports.0.appProtocol", "grpc"},
		{withTLS, "Deployment", "", pod + "volumes.0.projected.sources", `[{secret: {name: door, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}},
			{secret: {name: door, items: [{key: ca.crt, path: client-ca.crt}]}}]`},
		{withTLS, "Deployment", "", container + "volumeMounts.0", "{name: door, mountPath: /etc/agentauth/door, readOnly: true}"},
		{"door: {tls: {secretName: door, clientNames: ['*'], clientCA: {secretName: roots}}}", "Deployment", "", pod + "volumes.0.projected.sources.1.secret", "{name: roots, items: [{key: ca.crt, path: client-ca.crt}]}"},
		{withCerts, "Certificate", "", "spec.secretName", "agentauth-door"},
		{withCerts, "Certificate", "", "spec.issuerRef", "{name: ca, kind: ClusterIssuer, group: cert-manager.io}"},
		{withCerts, "Deployment", "", pod + "volumes.0.projected.sources.0.secret.name", "agentauth-door"},
		{withCerts, "Deployment", "", pod + "volumes.0.projected.sources.1", "{configMap: {name: roots, items: [{key: roots.pem, path: client-ca.crt}]}}"},

		{trusting, "ValidatingWebhookConfiguration", "", "kind", ""},
		{trusting, "Role", "agentauth-webhook", "kind", ""},
		{withWebhook, "Deployment", "", container + "args.7", "'--webhook-address=:9443'"},
		{withWebhook, "Deployment", "", container + "args.8", "--webhook-configuration=agentauth.agentauth-system"},
		{withWebhook, "Deployment", "", container + "ports.2", "{name: webhook, containerPort: 9443}"},
		{withWebhook, "Deployment", "", pod + "volumes", ""},
		{withWebhook, "Service", "", "spec.ports.2", "{name: webhook, port: 443, targetPort: webhook, appProtocol: https}"},
		{withWebhook, "NetworkPolicy", "agentauth", "spec.ingress", ""},
		{withWebhook, "NetworkPolicy", "agentauth-webhook", "spec", `{podSelector: {matchLabels: {app.kubernetes.io/name: agentauth, app.kubernetes.io/instance: agentauth}},
			policyTypes: [Ingress], ingress: [{ports: [{port: webhook}]}]}`},
		{withWebhook + "networkPolicy: {enabled: false}", "NetworkPolicy", "", "kind", ""},
		{withWebhook, "ValidatingWebhookConfiguration", "agentauth.agentauth-system", "webhooks", `[{name: agentauthpolicies.agentauth.dev,
			clientConfig: {service: {name: agentauth, namespace: agentauth-system, port: 443, path: /validate}},
			rules: [{apiGroups: [agentauth.dev], apiVersions: [v1alpha1], resources: [agentauthpolicies], operations: [CREATE, UPDATE], scope: Namespaced}],
			matchConditions: [{name: the-spec-changes, expression: "oldObject == null || object.spec != oldObject.spec"}, {name: it-stays, expression: "!has(object.metadata.deletionTimestamp)"}],
			failurePolicy: Ignore, matchPolicy: Equivalent, sideEffects: None, timeoutSeconds: 5, admissionReviewVersions: [v1]}]`},
		{withWebhook, "ValidatingWebhookConfiguration", "", "metadata.annotations", ""},
		{withWebhook, "Secret", "agentauth-webhook", "data", ""},
		{withWebhook, "Role", "agentauth-webhook", "rules", `[{apiGroups: [""], resources: [secrets], resourceNames: [agentauth-webhook], verbs: [get, update]}]`},
		{withWebhook, "ClusterRole", "agentauth-webhook:agentauth-system", "rules", `[{apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations],
			resourceNames: [agentauth.agentauth-system], verbs: [get, patch]}]`},
		{withWebhook + "watchNamespaces: [shop]", "ValidatingWebhookConfiguration", "", "webhooks.0.namespaceSelector", "{matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop]}]}"},
		{trusting + "webhook: {enabled: true, secretName: mine, caBundle: YQ==}", "ValidatingWebhookConfiguration", "", "webhooks.0.clientConfig.caBundle", "YQ=="},
		{trusting + "webhook: {enabled: true, secretName: mine, caBundle: YQ==}", "Deployment", "", pod + "volumes", "[{name: webhook, secret: {secretName: mine, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}}]"},
		{trusting + "webhook: {enabled: true, secretName: mine, caBundle: YQ==}", "Secret", "", "kind", ""},
		{everything, "Certificate", "agentauth-webhook-tls", "spec.dnsNames", "[agentauth.agentauth-system.svc]"},
		{everything, "Certificate", "agentauth-webhook-tls", "spec.issuerRef", "{name: inner, kind: ClusterIssuer, group: cert-manager.io}"},
		{everything, "ValidatingWebhookConfiguration", "", "metadata.annotations", "{cert-manager.io/inject-ca-from: agentauth-system/agentauth-webhook-tls}"},
		{everything, "ValidatingWebhookConfiguration", "", "webhooks.0.failurePolicy", "Fail"},
		{everything, "Deployment", "", container + "volumeMounts.1", "{name: webhook, mountPath: /etc/agentauth/webhook, readOnly: true}"},
		{everything, "Deployment", "", pod + "volumes.1.secret.secretName", "agentauth-webhook-tls"},
		{everything, "Role", "agentauth-webhook", "kind", ""},

		{everything, "Deployment", "", container + "args", `[serve, '--grpc-address=:9001', '--metrics-address=:8080', '--http-address=:9012', --http-dialect=traefik, --http-headers=authorization, --http-headers=x-agent-id, --tls-cert=/etc/agentauth/door/tls.crt,
			--tls-key=/etc/agentauth/door/tls.key, --client-ca=/etc/agentauth/door/client-ca.crt, '--client-name=spiffe://mesh.example/gateway', --client-name=other.example.com, '--explain-client-name=spiffe://mesh.example/operator',
			--unmatched=allow-unauthenticated, --path-case=exact, --watch-namespaces=shop, --watch-namespaces=bank, '--hostnames=bank=*', '--hostnames=shop=*.shop.example.com',
			--hostnames=shop=shop.example.com, --gateway-classes=envoy, --gateway-classes=gateways.example.com, --trust-context-policy, --trust-forwarded-headers, --trust-principal, --trust-xfcc, --trust-mcp-metadata, --max-config-age=1h30m, --egress-allow-http, --egress-allow-cidr=10.0.0.0/8,
			'--egress-allow-cidr=fd00::/8', '--egress-proxy=http://proxy.example.com:3128', '--replay-store=rediss://agentauth@redis.example.com:6380/1', --replay-store-password-file=/etc/agentauth/replay/password, --replay-store-ca=/etc/agentauth/replay/ca.crt, '--tracing-otlp-endpoint=http://collector.example.com:4317', --tracing-insecure, --tracing-sample-ratio=0.5, --tracing-max-per-second=20, '--webhook-address=:9444', --webhook-tls-cert=/etc/agentauth/webhook/tls.crt, --webhook-tls-key=/etc/agentauth/webhook/tls.key, --audit-stdout, --audit-file=/var/log/agentauth/audit.log, --audit-file-max-size=50, --audit-file-max-age=30, --audit-file-max-backups=3, '--audit-otlp-endpoint=collector.example.com:4317', --audit-otlp-insecure, --audit-path=template, --audit-allows=0.1, "--audit-allows=chat/*=1", --audit-allows=chat/low=none, --audit-allows=shop/catalog=0.01, --audit-claims=department, --audit-required, --log-level=debug, --log-format=text, --drain=20s, --drain-delay=3s, '--pprof-address=127.0.0.1:6060', --egress-allow-cidr=192.0.2.0/24]`},
		{everything, "Deployment", "", "metadata.labels.cost", "'42'"},
		{everything, "Deployment", "", "spec.template.metadata.labels.cost", "'42'"},
		{everything, "Deployment", "", "spec.selector", "{matchLabels: {app.kubernetes.io/name: agentauth, app.kubernetes.io/instance: agentauth}}"},
		{everything, "Service", "", "metadata.labels.cost", "'42'"},
		{everything, "Service", "", "spec.ports.1", "{name: http, port: 9012, targetPort: http, appProtocol: https}"},
		{everything, "Deployment", "", container + "ports.2", "{name: http, containerPort: 9012}"},
		{everything, "Deployment", "", "metadata.annotations", "{owner: platform}"},
		{everything, "Deployment", "", pod + "securityContext", "{runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}"},
		{everything, "Deployment", "", container + "securityContext", "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}"},
		{everything, "Deployment", "", container + "livenessProbe", "{httpGet: {path: /healthz, port: metrics}, periodSeconds: 20}"},
		{everything, "Deployment", "", container + "readinessProbe", "{httpGet: {path: /readyz, port: metrics}, periodSeconds: 5, failureThreshold: 2}"},
		{everything, "Deployment", "", container + "env", "[{name: SSL_CERT_DIR, value: /etc/roots}]"},
		{everything, "Deployment", "", container + "volumeMounts.2", "{name: roots, mountPath: /etc/roots, readOnly: true}"},
		{everything, "Deployment", "", pod + "volumes.2", "{name: roots, emptyDir: {}}"},
		{everything, "Deployment", "", pod + "volumes.3", "{name: replay, secret: {secretName: redis, defaultMode: 0440, items: [{key: password, path: password}, {key: ca.crt, path: ca.crt}]}}"},
		{everything, "Deployment", "", container + "volumeMounts.3", "{name: replay, mountPath: /etc/agentauth/replay, readOnly: true}"},
		{everything, "Deployment", "", pod + "volumes.4", "{name: audit, emptyDir: {sizeLimit: 1Gi}}"},
		{everything, "Deployment", "", container + "volumeMounts.4", "{name: audit, mountPath: /var/log/agentauth}"},
		{trusting + "extraVolumes: [{name: roots, emptyDir: {}}]\nextraVolumeMounts: [{name: roots, mountPath: /r}]", "Deployment", "", pod + "volumes", "[{name: roots, emptyDir: {}}]"},
		{trusting, "ConfigMap", "", "kind", ""},
		{everything, "ConfigMap", "agentauth-hostnames", "data", "{news: 'news.example.com *.news.example.com'}"},
		{everything, "Deployment", "", "spec.replicas", ""},
		{everything, "Deployment", "", pod + "terminationGracePeriodSeconds", "35"},
		{everything, "Deployment", "", container + "lifecycle.preStop.sleep.seconds", "7"},
		{everything, "Deployment", "", container + "image", "registry.example.com/agentauth:v9"},
		{everything, "Deployment", "", container + "imagePullPolicy", "Always"},
		{everything, "Deployment", "", container + "resources", "{requests: {cpu: 1, memory: 512Mi}, limits: {memory: 2Gi}}"},
		{everything, "Deployment", "", pod + "imagePullSecrets", "[{name: pull}]"},
		{everything, "Deployment", "", pod + "priorityClassName", "system-cluster-critical"},
		{everything, "Deployment", "", pod + "nodeSelector", "{kubernetes.io/os: linux}"},
		{everything, "Deployment", "", pod + "tolerations", "[{key: edge, operator: Exists, effect: NoSchedule}]"},
		{everything, "Deployment", "", pod + "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.0.matchExpressions.0.key", "gpu"},
		{everything, "Deployment", "", pod + "topologySpreadConstraints", "[{topologyKey: rack, maxSkew: 2, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app.kubernetes.io/name: agentauth, app.kubernetes.io/instance: agentauth}}}]"},
		{trusting + "topologySpreadConstraints: [{topologyKey: rack, labelSelector: {matchLabels: {x: y}}}, {topologyKey: row, labelSelector: {}}, {topologyKey: room, labelSelector: null}]",
			"Deployment", "", pod + "topologySpreadConstraints", `[{topologyKey: rack, labelSelector: {matchLabels: {x: y}}}, {topologyKey: row, labelSelector: {}},
			{topologyKey: room, labelSelector: {matchLabels: {app.kubernetes.io/name: agentauth, app.kubernetes.io/instance: agentauth}}}]`},
		{everything, "Deployment", "", "spec.template.metadata.labels.team", "platform"},
		{everything, "Deployment", "", "spec.template.metadata.annotations", "{note: '1'}"},
		{everything, "Service", "", "metadata.annotations", "{a: b}"},
		{everything, "ServiceAccount", "", "metadata.annotations", "{c: d}"},
		{everything, "ServiceAccount", "", "metadata.name", "decider"},
		{everything, "RoleBinding", "agentauth-status", "subjects", "[{kind: ServiceAccount, name: decider, namespace: agentauth-system}]"},
		{everything, "HorizontalPodAutoscaler", "", "spec.minReplicas", "3"},
		{everything, "HorizontalPodAutoscaler", "", "spec.maxReplicas", "7"},
		{everything, "HorizontalPodAutoscaler", "", "spec.metrics.0.resource.target.averageUtilization", "55"},
		{everything, "PodDisruptionBudget", "", "spec.maxUnavailable", "25%"},
		{everything, "ServiceMonitor", "", "metadata.labels.release", "prometheus"},
		{everything, "ServiceMonitor", "", "spec.endpoints", "[{port: metrics, path: /metrics, interval: 15s}]"},
		{everything, "PrometheusRule", "", "metadata.labels.release", "prometheus"},
		{everything, "ConfigMap", "agentauth-dashboard", "metadata.labels.grafana_dashboard", "shown"},
		{everything, "ConfigMap", "agentauth-dashboard", "metadata.annotations", "{grafana_folder: agents}"},
		{everything, "NetworkPolicy", "agentauth", "spec.ingress", `[{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [gateways, ingress]}]}}], ports: [{port: grpc}]},
			{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [gateways, ingress]}]}}], ports: [{port: http}]},
			{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [monitoring]}]}}], ports: [{port: metrics}]}]`},
		{everything, "NetworkPolicy", "agentauth-webhook", "spec.ingress", "[{from: [{ipBlock: {cidr: 10.0.0.0/28}}, {ipBlock: {cidr: 'fd00::/64'}}], ports: [{port: webhook}]}]"},
		// Narrowed to namespaces there is only what they do not have. Where classes are named, none is read.
		{everything, "ClusterRole", "", "rules", `[{apiGroups: [""], resources: [namespaces], verbs: [list, watch]},
			{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [list, watch]},
			{apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]},
			{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}]`},
		{everything, "ClusterRoleBinding", "", "roleRef.kind", "ClusterRole"},
	} {
		if rendered[c.values] == nil {
			out, err := render(t, c.values)
			must(t, err)
			rendered[c.values] = objects(t, out)
		}
		var want any
		must(t, yaml.Unmarshal([]byte(c.want), &want))
		o := find(t, rendered[c.values], c.kind, c.name)
		got := o.at(c.path)
		if prefix, key, ok := strings.Cut(c.path, ".helm~"); ok { // a key with a dot
			in, _ := o.at(prefix).(map[string]any)
			got = in["helm."+key]
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%s %s: expected %v, got %v", strings.TrimSpace(c.values), c.kind, c.path, want, got)
		}
	}
}

func TestEachWatchedNamespaceHasARoleThatOnlyTheReleaseIsBoundTo(t *testing.T) {
	out, err := render(t, everything)
	must(t, err)
	bound := map[string]any{}
	for _, o := range objects(t, out) {
		if o.kind() == "RoleBinding" && o.name() == "agentauth:agentauth-system" {
			bound[o.at("metadata.namespace").(string)] = o.at("subjects.0")
		}
	}
	account := map[string]any{"kind": "ServiceAccount", "name": "decider", "namespace": "agentauth-system"}
	if want := map[string]any{"shop": account, "bank": account}; !reflect.DeepEqual(bound, want) {
		t.Errorf("expected %v, got %v", want, bound)
	}
}

func TestTheValuesOfThePagesRender(t *testing.T) {
	for words, want := range map[string]string{"company-roots": "/etc/ssl/certs:/etc/company-roots", "podSecurityContext:": "seccompProfile"} {
		out, err := render(t, yamlBlock(t, words))
		must(t, err)
		if d := text(t, find(t, objects(t, out), "Deployment", "")); !strings.Contains(d, want) || words != "company-roots" && strings.Contains(d, "65532") {
			t.Errorf("%s: %s", words, d)
		}
	}
}

func TestTheChartsCRDIsTheGeneratedOne(t *testing.T) {
	out, err := render(t, trusting)
	must(t, err)
	data, err := os.ReadFile("../../config/crd/agentauth.dev_agentauthpolicies.yaml")
	must(t, err)
	got, want := find(t, objects(t, out), "CustomResourceDefinition", ""), objects(t, string(data))[0]
	if !reflect.DeepEqual(got["spec"], want["spec"]) || got.name() != want.name() {
		t.Error("the rendered CRD differs from config/crd")
	}
}

func TestEveryFlagOfServeCanBeSet(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), useBinary(t), "serve", "--help").Output()
	must(t, err)
	_, list, _ := strings.Cut(string(help), "\nFlags:\n")
	names := func(pattern, text string) []string {
		var out []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	// A pod has neither a directory of policies nor a kubeconfig, and its door is on no loopback address.
	want := slices.DeleteFunc(names(`(?m)^ +(?:-\w, )?(--[a-z-]+)`, list), func(f string) bool {
		return slices.Contains([]string{"--help", "--kubeconfig", "--policies", "--explain-on-loopback"}, f)
	})
	var args string
	for _, values := range []string{trusting, withWebhook, everything} {
		out, err := render(t, values)
		must(t, err)
		for _, a := range find(t, objects(t, out), "Deployment", "").at("spec.template.spec.containers.0.args").([]any) {
			args += a.(string) + "\n"
		}
	}
	if got := names(`(?m)^(--[a-z-]+)`, args); !slices.Equal(got, want) {
		t.Errorf("expected the chart to set %q, it sets %q", want, got)
	}
}

func TestAPackedChartRendersTheSame(t *testing.T) {
	_, err := helm(t, "", "package", chartDir, "-d", suite.Dir)
	must(t, err)
	want, err := render(t, everything)
	must(t, err)
	got, err := parts.Helm(t.Context(), suite.Dir, "", everything, "template", "agentauth", filepath.Join(suite.Dir, "agentauth-0.1.0.tgz"), "-n", "agentauth-system", "-f", "-")
	if err != nil || got != want {
		t.Errorf("expected the same, got %v\n%.500s", err, got)
	}
}

func TestLint(t *testing.T) {
	for _, values := range []string{"", trusting, withWebhook, everything} {
		if out, err := helm(t, values, "lint", "--strict", chartDir, "-f", "-"); err != nil || strings.Contains(out, "[WARNING]") {
			t.Errorf("%s: %v\n%s", values, err, out)
		}
	}
}
