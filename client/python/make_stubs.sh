#!/usr/bin/env bash
# Generates the Python stubs of the API into DIRECTORY with Debian's protoc and
# gRPC plugin (packages protobuf-compiler and protobuf-compiler-grpc).
#
#   client/python/make_stubs.sh DIRECTORY
set -euo pipefail
out=${1:?usage: make_stubs.sh DIRECTORY}
proto=$(cd "$(dirname "$0")/../../proto" && pwd)
mkdir -p "$out"
protoc -I "$proto" --python_out="$out" --grpc_python_out="$out" \
  --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
  "$proto"/alignsae/v1/*.proto
