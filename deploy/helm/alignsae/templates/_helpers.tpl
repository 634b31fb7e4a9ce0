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
