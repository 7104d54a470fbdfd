version: '2'
services:
  bridge:
    image: ${bridge_image}
    environment:
      BRIDGE_SOURCE: http://rancher-metadata
      {{- if eq .Values.store "etcd" }}
      BRIDGE_STORE: etcd://etcd:2379/traefik
      {{- else if eq .Values.store "consul" }}
      BRIDGE_STORE: consul://consul:8500/traefik
      {{- else if eq .Values.store "etcd-elsewhere" }}
      BRIDGE_STORE: 'etcd://${store_address}/traefik'
      {{- else }}
      BRIDGE_STORE: 'consul://${store_address}/traefik'
      {{- end }}
      {{- if ne .Values.store_token "" }}
      BRIDGE_STORE_TOKEN: '${store_token}'
      {{- end }}
      {{- if ne .Values.store_user "" }}
      BRIDGE_STORE_USER: '${store_user}'
      BRIDGE_STORE_PASSWORD: '${store_password}'
      {{- end }}
      BRIDGE_CLUSTER: '${cluster}'
      BRIDGE_HTTP: 0.0.0.0:8090
      BRIDGE_ADDRESS: '${address}'
      BRIDGE_HEALTH: '${health}'
      {{- if ne .Values.constraints "" }}
      BRIDGE_CONSTRAINT: '${constraints}'
      {{- end }}
      {{- if ne .Values.domain "" }}
      BRIDGE_DOMAIN: '${domain}'
      {{- end }}
      {{- if or (eq .Values.traefik "3") (eq .Values.traefik "3-elsewhere") }}
      BRIDGE_LAYOUT: traefik3
      BRIDGE_ENTRY_POINTS: '{{ if eq .Values.https "false" }}http{{ else if eq .Values.https "only" }}https{{ else }}http,https{{ end }}'
      BRIDGE_TLS_ENTRY_POINTS: 'https=${https_port}'
      {{- else }}
      BRIDGE_LAYOUT: traefik1
      {{- end }}
    user: '65532:65532'
    read_only: true
    cap_drop:
    - ALL
    labels:
      traefik.enable: 'false'
      io.rancher.container.hostname_override: container_name
      io.rancher.scheduler.affinity:container_label_soft_ne: io.rancher.stack_service.name=$${stack_name}/$${service_name}
  {{- if eq .Values.store "etcd" }}

  etcd:
    image: rancher/mirrored-coreos-etcd:v3.5.12
    command:
    - /usr/local/bin/etcd
    - --data-dir=/etcd-data
    - --listen-client-urls=http://0.0.0.0:2379
    - --advertise-client-urls=http://etcd:2379
    - --auto-compaction-mode=periodic
    - --auto-compaction-retention=1h
    read_only: true
    cap_drop:
    - ALL
    volumes:
    - etcd-data:/etcd-data
    labels:
      traefik.enable: 'false'
      io.rancher.container.hostname_override: container_name
  {{- end }}
  {{- if eq .Values.store "consul" }}

  consul:
    image: consul:1.8.7
    command:
    - agent
    - -server
    - -bootstrap-expect=1
    - -node=consul
    - -data-dir=/consul/data
    - -bind=127.0.0.1
    - -client=0.0.0.0
    - -dns-port=-1
    - -hcl=disable_update_check=true
    read_only: true
    cap_drop:
    - ALL
    cap_add:
    - CHOWN
    - SETGID
    - SETUID
    volumes:
    - consul-data:/consul/data
    labels:
      traefik.enable: 'false'
      io.rancher.container.hostname_override: container_name
  {{- end }}
  {{- if eq .Values.traefik "1.7" }}

  traefik:
    image: traefik:v1.7.28
    command:
    - --defaultentrypoints={{ if eq .Values.https "false" }}http{{ else }}http,https{{ end }}
    - --entrypoints=Name:http Address::8080{{ if eq .Values.compress "true" }} Compress:true{{ end }}{{ if ne .Values.trusted_ips "" }} ProxyProtocol.TrustedIPs:${trusted_ips} ForwardedHeaders.TrustedIPs:${trusted_ips}{{ end }}{{ if eq .Values.https "only" }} Redirect.Regex:^http://([^/:]+)(:[0-9]+)?/(.*) Redirect.Replacement:https://$${1}:${https_port}/$${3}{{ end }}
    {{- if ne .Values.https "false" }}
    - --entrypoints=Name:https Address::8443 TLS:/certs/tls.crt,/certs/tls.key TLS.MinVersion:VersionTLS12{{ if eq .Values.compress "true" }} Compress:true{{ end }}{{ if ne .Values.trusted_ips "" }} ProxyProtocol.TrustedIPs:${trusted_ips} ForwardedHeaders.TrustedIPs:${trusted_ips}{{ end }}
    {{- end }}
    - --entrypoints=Name:ping Address::8082
    - --ping
    - --ping.entrypoint=ping
    {{- if eq .Values.metrics "true" }}
    - --metrics.prometheus
    - --metrics.prometheus.entrypoint=ping
    {{- end }}
    - --loglevel=INFO
    - --checknewversion=false
    - --sendanonymoususage=${usage}
    - --insecureskipverify=${insecure_skip}
    - --respondingtimeouts.readtimeout=${timeout_read}s
    - --respondingtimeouts.writetimeout=${timeout_write}s
    - --respondingtimeouts.idletimeout=${timeout_idle}s
    - --forwardingtimeouts.dialtimeout=${timeout_dial}s
    - --forwardingtimeouts.responseheadertimeout=${timeout_header}s
    {{- if or (eq .Values.store "consul") (eq .Values.store "consul-elsewhere") }}
    - --consul
    - --consul.endpoint={{ if eq .Values.store "consul" }}consul:8500{{ else }}${store_address}{{ end }}
    - --consul.prefix=traefik
    - --consul.watch
    {{- else }}
    - --etcd
    - --etcd.endpoint={{ if eq .Values.store "etcd" }}etcd:2379{{ else }}${store_address}{{ end }}
    - --etcd.prefix=/traefik
    - --etcd.watch
    - --etcd.useapiv3
    {{- end }}
    user: '65532:65532'
    read_only: true
    cap_drop:
    - ALL
    ports:
    - ${http_port}:8080/tcp
    {{- if ne .Values.https "false" }}
    - ${https_port}:8443/tcp
    volumes:
    - ${certs}:/certs:ro
    {{- end }}
    labels:
      traefik.enable: 'false'
      io.rancher.container.hostname_override: container_name
      io.rancher.scheduler.global: 'true'
      io.rancher.scheduler.affinity:host_label: '${host_label}'
  {{- end }}
  {{- if eq .Values.traefik "3" }}

  traefik:
    image: traefik:v3.7.15
    command:
    - --entryPoints.http.address=:8080
    - --entryPoints.http.transport.respondingTimeouts.readTimeout=${timeout_read}s
    - --entryPoints.http.transport.respondingTimeouts.writeTimeout=${timeout_write}s
    - --entryPoints.http.transport.respondingTimeouts.idleTimeout=${timeout_idle}s
    {{- if ne .Values.trusted_ips "" }}
    - --entryPoints.http.proxyProtocol.trustedIPs=${trusted_ips}
    - --entryPoints.http.forwardedHeaders.trustedIPs=${trusted_ips}
    {{- end }}
    {{- if eq .Values.https "only" }}
    - --entryPoints.http.http.redirections.entryPoint.to=:${https_port}
    - --entryPoints.http.http.redirections.entryPoint.scheme=https
    {{- end }}
    {{- if ne .Values.https "false" }}
    - --entryPoints.https.address=:8443
    - --entryPoints.https.transport.respondingTimeouts.readTimeout=${timeout_read}s
    - --entryPoints.https.transport.respondingTimeouts.writeTimeout=${timeout_write}s
    - --entryPoints.https.transport.respondingTimeouts.idleTimeout=${timeout_idle}s
    {{- if ne .Values.trusted_ips "" }}
    - --entryPoints.https.proxyProtocol.trustedIPs=${trusted_ips}
    - --entryPoints.https.forwardedHeaders.trustedIPs=${trusted_ips}
    {{- end }}
    - --providers.file.filename=/certs/certs.yml
    {{- end }}
    - --entryPoints.ping.address=:8082
    - --ping.entryPoint=ping
    {{- if eq .Values.metrics "true" }}
    - --metrics.prometheus.entryPoint=ping
    {{- end }}
    - --log.level=INFO
    - --global.checkNewVersion=false
    - --global.sendAnonymousUsage=${usage}
    - --serversTransport.insecureSkipVerify=${insecure_skip}
    - --serversTransport.forwardingTimeouts.dialTimeout=${timeout_dial}s
    - --serversTransport.forwardingTimeouts.responseHeaderTimeout=${timeout_header}s
    {{- if or (eq .Values.store "consul") (eq .Values.store "consul-elsewhere") }}
    - --providers.consul.endpoints={{ if eq .Values.store "consul" }}consul:8500{{ else }}${store_address}{{ end }}
    - --providers.consul.rootKey=traefik
    {{- else }}
    - --providers.etcd.endpoints={{ if eq .Values.store "etcd" }}etcd:2379{{ else }}${store_address}{{ end }}
    - --providers.etcd.rootKey=traefik
    {{- end }}
    user: '65532:65532'
    read_only: true
    cap_drop:
    - ALL
    ports:
    - ${http_port}:8080/tcp
    {{- if ne .Values.https "false" }}
    - ${https_port}:8443/tcp
    volumes:
    - ${certs}:/certs:ro
    {{- end }}
    labels:
      traefik.enable: 'false'
      io.rancher.container.hostname_override: container_name
      io.rancher.scheduler.global: 'true'
      io.rancher.scheduler.affinity:host_label: '${host_label}'
  {{- end }}
{{- if eq .Values.store "etcd" }}

volumes:
  etcd-data:
    driver: local
{{- end }}
{{- if eq .Values.store "consul" }}

volumes:
  consul-data:
    driver: local
{{- end }}
