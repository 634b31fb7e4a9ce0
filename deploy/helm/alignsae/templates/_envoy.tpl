{{/* Envoy's configuration: that of files/envoy, which is deploy/envoy, with the addresses and
     certificates of this release. */}}
{{- define "alignsae.envoyConfig" -}}
{{- $config := .Files.Get "files/envoy/envoy.yaml" | fromYaml }}
{{- $resources := $config.static_resources }}
{{- $listener := index $resources.listeners 0 }}
{{- $_ := set $listener.address.socket_address "port_value" .Values.envoy.port }}
{{- if .Values.envoy.tlsSecret }}
{{- $_ := set (index $listener.filter_chains 0) "transport_socket" (include "alignsae.envoyTls" . | fromYaml) }}
{{- end }}
{{- $manager := (index (index $listener.filter_chains 0).filters 0).typed_config }}
{{- $host := index $manager.route_config.virtual_hosts 0 }}
{{- if .Values.envoy.allowedOrigins }}
{{- $origins := list }}
{{- range .Values.envoy.allowedOrigins }}
{{- $origins = append $origins (dict "exact" .) }}
{{- end }}
{{- $cors := index $host.typed_per_filter_config "envoy.filters.http.cors" }}
{{- $_ := set $cors "allow_origin_string_match" $origins }}
{{- end }}
{{- $cluster := index $resources.clusters 0 }}
{{- $endpoint := (index (index $cluster.load_assignment.endpoints 0).lb_endpoints 0).endpoint }}
{{- $_ := set $endpoint.address.socket_address "address" (printf "%s.%s.svc" (include "alignsae.name" .) .Release.Namespace) }}
{{- if .Values.tls.secret }}
{{- $_ := set $cluster "transport_socket" (include "alignsae.upstreamTls" . | fromYaml) }}
{{- end }}
{{- $connections := (index $config.overload_manager.resource_monitors 0).typed_config }}
{{- $_ := set $connections "max_active_downstream_connections" .Values.envoy.maxConnections }}
{{- toYaml $config }}
{{- end }}

{{- define "alignsae.envoyTls" -}}
name: envoy.transport_sockets.tls
typed_config:
  "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
  common_tls_context:
    alpn_protocols: [h2, http/1.1]
    tls_params: {tls_minimum_protocol_version: TLSv1_2}
    tls_certificates:
      - certificate_chain: {filename: /tls/tls.crt}
        private_key: {filename: /tls/tls.key}
        watched_directory: {path: /tls}
{{- end }}

{{- define "alignsae.upstreamTls" -}}
name: envoy.transport_sockets.tls
typed_config:
  "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
  sni: {{ include "alignsae.name" . }}
  common_tls_context:
    alpn_protocols: [h2]
    tls_certificates:
      - certificate_chain: {filename: /upstream-tls/tls.crt}
        private_key: {filename: /upstream-tls/tls.key}
        watched_directory: {path: /upstream-tls}
    validation_context:
      trusted_ca: {filename: /upstream-tls/ca.crt}
      watched_directory: {path: /upstream-tls}
{{- end }}
