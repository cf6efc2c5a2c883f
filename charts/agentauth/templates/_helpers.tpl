{{- define "agentauth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "agentauth.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Where releases of other namespaces have objects too. No name has a colon, so two never are the same. */}}
{{- define "agentauth.globalName" -}}
{{ include "agentauth.fullname" . }}:{{ .Release.Namespace }}
{{- end }}

{{- define "agentauth.selector" -}}
app.kubernetes.io/name: {{ include "agentauth.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "agentauth.labels" -}}
{{ include "agentauth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agentauth.account" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "agentauth.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: expected the name of the account to use, because serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* How many pods there are to be. With autoscaling it is what there are, so that turning it on takes none away, until
       the autoscaler (or kubectl scale) has said a number: then the field is its own, and a server-side apply that says
       one too is refused. Where the cluster cannot be asked (helm template) nothing is said. */}}
{{- define "agentauth.replicas" -}}
{{- if not .Values.autoscaling.enabled }}
{{- .Values.replicas }}
{{- else if $deployments := lookup "apps/v1" "Deployment" .Release.Namespace "" }}
{{- $replicas := 0 }}
{{- $applied := false }}
{{- $scaled := false }}
{{- range $deployments.items }}
{{- if eq .metadata.name (include "agentauth.fullname" $) }}
{{- $replicas = int .spec.replicas }}
{{- range .metadata.managedFields }}
{{- if eq .operation "Apply" }}{{ $applied = true }}{{ end }}
{{- if eq (default "" .subresource) "scale" }}{{ $scaled = true }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (and $applied $scaled) }}
{{- $replicas | default .Values.autoscaling.minReplicas }}
{{- end }}
{{- end }}
{{- end }}

{{- define "agentauth.image" -}}
{{ required "image.repository: expected your image, because none is published: docs/install.md says how to build and push it" .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- /* "tls" where door.tls was chosen, else "". */}}
{{- define "agentauth.tls" -}}
{{- with .Values.door.tls }}{{ if or .secretName .certManager.issuerRef.name .clientCA.secretName .clientCA.configMapName .clientNames }}tls{{ end }}{{ end }}
{{- end }}

{{- define "agentauth.certificate" -}}
{{- default (printf "%s-door" (include "agentauth.fullname" .)) .Values.door.tls.secretName }}
{{- end }}

{{- /* The Secret that the webhook's certificate is mounted from; "" where agentauth makes it itself. */}}
{{- define "agentauth.webhookCertificate" -}}
{{- with .Values.webhook }}{{ if .enabled }}
{{- if .secretName }}{{ .secretName }}{{ else if .certManager.issuerRef.name }}{{ include "agentauth.fullname" $ }}-webhook-tls{{ end }}
{{- end }}{{ end }}
{{- end }}

{{- /* A namespace has no dot, so releases of two never have one name. */}}
{{- define "agentauth.webhookName" -}}
{{ include "agentauth.fullname" . }}.{{ .Release.Namespace }}
{{- end }}

{{- /* Refuses what cannot work, once, with all there is to choose from. */}}
{{- define "agentauth.check" -}}
{{- $tls := include "agentauth.tls" . }}
{{- if and (not $tls) (not .Values.door.trustNetwork) }}
{{- fail "\n\nWho may be at the door? Whoever can ask may learn what the upstream is given. Choose one:\n  door.tls           proxies show client certificates: door.tls.secretName or door.tls.certManager.issuerRef.name,\n                     and door.tls.clientNames, the names that their certificates carry\n  door.trustNetwork  true: your word that only proxies reach the door (networkPolicy.gatewayNamespaces, or a mesh)\n" }}
{{- end }}
{{- if and $tls .Values.door.trustNetwork }}
{{- fail "door.tls and door.trustNetwork: expected one of the two" }}
{{- end }}
{{- if $tls }}
{{- with .Values.door.tls }}
{{- if and .secretName .certManager.issuerRef.name }}
{{- fail "door.tls: expected one of secretName and certManager.issuerRef.name, the door has one certificate" }}
{{- end }}
{{- if not (or .secretName .certManager.issuerRef.name) }}
{{- fail "door.tls: expected the door's certificate, by secretName or certManager.issuerRef.name" }}
{{- end }}
{{- if and .clientCA.secretName .clientCA.configMapName }}
{{- fail "door.tls.clientCA: expected one of secretName and configMapName" }}
{{- end }}
{{- if not .clientNames }}
{{- fail "door.tls.clientNames: expected the DNS or URI names that proxies' certificates carry, as in {envoy.example.com}; \"*\" is any certificate of clientCA" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.explain.clientNames (not $tls) }}
{{- fail "explain.clientNames: expected door.tls, because a name counts on a verified client certificate only" }}
{{- end }}
{{- if and .Values.audit.required (not .Values.audit.stdout) (not .Values.audit.file.volume) (not .Values.audit.otlp.endpoint) }}
{{- fail "audit.required: expected where to record, audit.stdout, audit.file.volume or audit.otlp.endpoint" }}
{{- end }}
{{- with .Values.audit }}
{{- if and (hasPrefix "https://" .otlp.endpoint) .otlp.insecure }}
{{- fail "audit.otlp: endpoint is https and insecure says without TLS: leave one of them out" }}
{{- end }}
{{- if and .otlp.insecure (not .otlp.endpoint) }}
{{- fail "audit.otlp.insecure: expected audit.otlp.endpoint, the collector" }}
{{- end }}
{{- if and (or .allowsFor .claims (ne (toString .allows) "all") (ne .path "full")) (not .stdout) (not .file.volume) (not .otlp.endpoint) }}
{{- fail "audit: expected where to record, audit.stdout, audit.file.volume or audit.otlp.endpoint, for allows, allowsFor, claims and path say what is recorded, and nothing is" }}
{{- end }}
{{- if and (not .file.volume) (or (ne (int .file.maxSizeMiB) 100) (ne (int .file.maxAgeDays) 0) (ne (int .file.maxBackups) 10)) }}
{{- fail "audit.file: expected audit.file.volume, as in {emptyDir: {sizeLimit: 5Gi}}, for its other values say how long files are kept, and there is none" }}
{{- end }}
{{- end }}
{{- if .Values.webhook.enabled }}
{{- with .Values.webhook }}
{{- if and .secretName .certManager.issuerRef.name }}
{{- fail "webhook: expected one of secretName and certManager.issuerRef.name, or none: then agentauth makes the certificate" }}
{{- end }}
{{- if ne (empty .secretName) (empty .caBundle) }}
{{- fail "webhook: expected secretName and caBundle together: what the certificate verifies to is known to you alone" }}
{{- end }}
{{- end }}
{{- if eq (int .Values.webhook.port) (int .Values.door.port) }}
{{- fail "webhook.port: expected another port than door.port" }}
{{- end }}
{{- end }}
{{- with .Values.httpDoor }}
{{- if .enabled }}
{{- if not .dialect }}
{{- fail "httpDoor.dialect: expected how your proxy asks: envoy, nginx, traefik or caddy" }}
{{- end }}
{{- if not .headers }}
{{- fail "httpDoor.headers: expected the headers that your proxy takes from the answers, all that policies set and strip, as in {authorization,x-agent-id}" }}
{{- end }}
{{- if has (int .port) (list (int $.Values.door.port) (int $.Values.webhook.port)) }}
{{- fail "httpDoor.port: expected another port than door.port and webhook.port" }}
{{- end }}
{{- end }}
{{- end }}
{{- range $namespace, $patterns := .Values.hostnameGrants }}
{{- if has $namespace (keys $.Values.hostnames) }}
{{- fail (printf "hostnameGrants.%s: expected a namespace that hostnames does not have, or whoever takes a grant away may miss the other" $namespace) }}
{{- end }}
{{- end }}
{{- with .Values.replayStore }}
{{- if and .secretName (not .url) }}
{{- fail "replayStore.url: expected where the store is, because replayStore.secretName has the password for it" }}
{{- end }}
{{- if and .ca (not .secretName) }}
{{- fail "replayStore.secretName: expected the Secret with ca.crt, because replayStore.ca is true" }}
{{- end }}
{{- end }}
{{- range $label, $_ := .Values.commonLabels }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (hasPrefix "helm.sh/" $label) }}
{{- fail (printf "commonLabels: expected no %s, the chart sets it" $label) }}
{{- end }}
{{- if hasKey $.Values.podLabels $label }}
{{- fail (printf "podLabels: expected no %s, commonLabels has it" $label) }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--(grpc-address|http-[a-z]+|metrics-address|tls-cert|tls-key|client-ca|client-name|explain-client-name|trust-network|hostnames|watch-namespaces|webhook-[a-z-]+|drain|policies|kubeconfig)(=|$)" . }}
{{- fail (printf "extraArgs: expected no %s, the chart has a value for it: see values.yaml" (regexFind "^--[a-z-]+" .)) }}
{{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.metricsNamespaces) }}
{{- fail "networkPolicy.metricsNamespaces: expected Prometheus' namespace, because serviceMonitor.enabled is true and nobody else reaches /metrics" }}
{{- end }}
{{- end }}

{{- /* A rule without `from` would be for everybody, so where nobody is named there is no rule. Probes come from
       the pod's own node, which is always let in. */}}
{{- define "agentauth.from" }}
  - from:
    - namespaceSelector:
        matchExpressions:
        - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .namespaces }}}
    ports: [{port: {{ .port }}}]
{{- end }}

{{- define "agentauth.rules" }}
rules:
- {apiGroups: [agentauth.dev], resources: [agentauthpolicies], verbs: [list, watch]}
- {apiGroups: [agentauth.dev], resources: [agentauthpolicies/status], verbs: [patch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}     # when a policy comes in force, or goes out of it
# Those with the label agentauth.dev/use: RBAC cannot say so, the program asks for no others.
- {apiGroups: [""], resources: [secrets, configmaps], verbs: [list, watch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [httproutes, grpcroutes, gateways, listenersets, referencegrants], verbs: [list, watch]}
{{- end }}
