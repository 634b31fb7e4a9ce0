#!/usr/bin/env bash
# Generates the Go stubs of the API into client/go/alignsaev1. Needs protoc, and the plugins:
#   go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
#   go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
set -euo pipefail
cd "$(dirname "$0")"
proto=${ALIGNSAE_PROTO:-../../proto}
protoc -I "$proto" --go_out=. --go_opt=module=alignsae/client \
  --go-grpc_out=. --go-grpc_opt=module=alignsae/client "$proto"/alignsae/v1/*.proto
