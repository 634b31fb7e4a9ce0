#!/usr/bin/env bash
# Generates the Go stubs of the API into client/go/alignsaev1. Needs protoc, and the plugins:
#   go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
#   go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
set -euo pipefail
cd "$(dirname "$0")"
proto=${ALIGNSAE_PROTO:-../../proto}
package=alignsae/client/alignsaev1
options=(--go_opt=module=alignsae/client --go-grpc_opt=module=alignsae/client)
for file in "$proto"/alignsae/v1/*.proto; do
  name=alignsae/v1/$(basename "$file")
  options+=("--go_opt=M$name=$package" "--go-grpc_opt=M$name=$package")
done
protoc -I "$proto" --go_out=. --go-grpc_out=. "${options[@]}" "$proto"/alignsae/v1/*.proto
