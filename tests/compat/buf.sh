#!/usr/bin/env bash
# `buf lint` of DIRECTORY, by its buf.yaml, and `buf breaking` against BASELINE, with the buf
# that npm has. Exit 77 (skipped) when npm's registry does not answer.
#
#   buf.sh BASELINE DIRECTORY
set -euo pipefail
baseline=$(realpath "$1") directory=$(realpath "$2")
command -v npm > /dev/null || { echo "skipped: npm is not installed"; exit 77; }
version=$(timeout 60 npm view @bufbuild/buf version) || {
  echo "skipped: npm's registry does not answer"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit "@bufbuild/buf@$version"
echo "buf $version"
# The same files on both sides: google/rpc and grpc/health are other people's.
mkdir now && cp -r "$directory/alignsae" "$directory/buf.yaml" now/
export HOME=$work
buf=$work/node_modules/.bin/buf
(cd now && "$buf" lint)
(cd now && "$buf" breaking --against "$baseline")
