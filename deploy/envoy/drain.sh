#!/usr/bin/env bash
# Lets an Envoy end without cutting a call: not ready at once, calls go on meanwhile (endpoints
# take some time to be told); then GOAWAY on every connection, no new ones, and time for what
# runs. Envoy itself would end at once at SIGTERM, so this is the pod's preStop hook.
#
#   drain.sh [LAME_DUCK_SECONDS [DRAIN_SECONDS [ADMIN_PORT]]]
set -euo pipefail
lame_duck=${1:-10} drain=${2:-65} port=${3:-9900}
post() {
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  printf 'POST %s HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$1" >&3
  grep -q "^HTTP/1.1 200" <&3
  exec 3>&-
}
post /healthcheck/fail
sleep "$lame_duck"
post "/drain_listeners?graceful"
sleep "$drain"
