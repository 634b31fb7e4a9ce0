{{/* Envoy's configuration. Limits are those that Envoy's own notes on edges ask for. */}}
{{- define "alignsae.envoyConfig" -}}
admin:
  address:
    socket_address: {address: 127.0.0.1, port_value: 9900}
static_resources:
  listeners:
    - name: grpc
      address:
        socket_address: {address: 0.0.0.0, port_value: {{ .Values.envoy.port }}}
      per_connection_buffer_limit_bytes: 32768
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: grpc
                codec_type: HTTP2
                http2_protocol_options:
                  max_concurrent_streams: 100
                  initial_stream_window_size: 65536
                  initial_connection_window_size: 1048576
                common_http_protocol_options:
                  idle_timeout: 300s
                  headers_with_underscores_action: REJECT_REQUEST
                max_request_headers_kb: 16
                request_headers_timeout: 10s
                use_remote_address: true
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: alignsae
                      domains: ["*"]
                      routes:
                        {{- range list "alignsae.v1." "grpc.health.v1." }}
                        - match: {prefix: "/{{ . }}", grpc: {}}
                          route:
                            cluster: alignsae
                            timeout: 0s  # The client's deadline, which the server caps.
                            max_stream_duration: {grpc_timeout_header_max: 75s}
                        {{- end }}
          {{- if .Values.envoy.tlsSecret }}
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2]
                tls_certificates:
                  - certificate_chain: {filename: /tls/tls.crt}
                    private_key: {filename: /tls/tls.key}
          {{- end }}
    - name: ready
      address:
        socket_address: {address: 0.0.0.0, port_value: 9901}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ready
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: ready
                      domains: ["*"]
                      routes:
                        - match: {path: /ready}
                          direct_response: {status: 200}
  clusters:
    - name: alignsae
      type: STRICT_DNS
      connect_timeout: 2s
      lb_policy: LEAST_REQUEST
      per_connection_buffer_limit_bytes: 32768
      load_assignment:
        cluster_name: alignsae
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address:
                      address: {{ include "alignsae.name" . }}.{{ .Release.Namespace }}.svc
                      port_value: 50051
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config:
            http2_protocol_options:
              max_concurrent_streams: 100
      health_checks:
        - timeout: 2s
          interval: 5s
          unhealthy_threshold: 2
          healthy_threshold: 1
          grpc_health_check: {service_name: readiness}
      outlier_detection:
        consecutive_gateway_failure: 5
        base_ejection_time: 10s
      {{- if .Values.tls.secret }}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: {{ include "alignsae.name" . }}
          common_tls_context:
            tls_certificates:
              - certificate_chain: {filename: /upstream-tls/tls.crt}
                private_key: {filename: /upstream-tls/tls.key}
            validation_context:
              trusted_ca: {filename: /upstream-tls/ca.crt}
      {{- end }}
overload_manager:
  resource_monitors:
    - name: envoy.resource_monitors.global_downstream_max_connections
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
        max_active_downstream_connections: {{ .Values.envoy.maxConnections }}
{{- end }}
