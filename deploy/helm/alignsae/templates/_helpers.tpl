{{- define "alignsae.name" -}}
{{ printf "%s-server" .Release.Name | trunc 63 }}
{{- end }}

{{- define "alignsae.selector" -}}
app.kubernetes.io/name: alignsae-server
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "alignsae.labels" -}}
{{ include "alignsae.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "alignsae.envoySelector" -}}
app.kubernetes.io/name: alignsae-envoy
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Who may call, as a network policy has it. */}}
{{- define "alignsae.clients" -}}
{{- if not (or .Values.networkPolicy.clients .Values.networkPolicy.clientNamespaces) }}
{{- fail "networkPolicy: must name clients or clientNamespaces; a rule from nobody lets everybody in" }}
{{- end }}
{{- with .Values.networkPolicy.clients }}
{{- toYaml . }}
{{- end }}
{{- range .Values.networkPolicy.clientNamespaces }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- end }}

{{/* Where the bundle comes from: the name of its volume, or nothing for the image's own. */}}
{{- define "alignsae.bundleVolume" -}}
{{- with .Values.bundle }}
{{- if gt (len (compact (list .claim .artifact.reference .fetch.url))) 1 }}
{{- fail "bundle: must have at most one of claim, artifact.reference and fetch.url" }}
{{- end }}
{{- if or .claim .artifact.reference .fetch.url }}bundle{{ end }}
{{- end }}
{{- end }}

{{/* Of the restricted profile of pod security. */}}
{{- define "alignsae.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "alignsae.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* The kubelet's gRPC probes know no TLS; with TLS the admin port is asked. Called with
     a dict of the root, the health service and the path. */}}
{{- define "alignsae.probe" -}}
{{- if .root.Values.tls.secret -}}
httpGet:
  port: admin
  path: {{ .path }}
{{- else -}}
grpc:
  port: 50051
  service: {{ .service }}
{{- end }}
{{- end }}
