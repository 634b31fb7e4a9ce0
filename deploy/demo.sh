#!/usr/bin/env bash
# From a fresh Debian 12 to a swapped concept: installs the packages, builds,
# starts the server on the bundled demo model, asks it through the client, and says
# where the page is.
#
#   deploy/demo.sh           ends then
#   deploy/demo.sh --serve   stays up until Ctrl-C: the page is at http://127.0.0.1:8080/
set -euo pipefail
cd "$(dirname "$0")/.."

serve=
grpc=127.0.0.1:0
http=127.0.0.1:0
if [ "${1:-}" = --serve ]; then
  serve=yes
  grpc=127.0.0.1:50051  # As in the commands that the page offers.
  http=127.0.0.1:8080
elif [ $# -gt 0 ]; then
  echo "usage: $0 [--serve]" >&2
  exit 64
fi

deploy/install-packages.sh --page
cmake --preset release -DALIGNSAE_TESTS=OFF
cmake --build --preset release --target alignsae-server alignsae
bin=build/release/bin
bundle=model/demo

# A person whom the model was never asked about in training, and a test wording,
# which the SAE never saw.
person=$(jq -rs 'map(select(.asked | not))[0]' "$bundle/eval/people.jsonl")
name=$(jq -r .name <<<"$person")
wording=$(jq -rs 'map(select(.relation == "birth_city" and .split == "test"))[0].pattern' \
  "$bundle/eval/wordings.jsonl")
question=${wording//'{name}'/$name}

scratch=$(mktemp -d)
log=build/release/demo-server.log
"$bin/alignsae-server" --model="$bundle" --listen="$grpc" --admin-listen=127.0.0.1:0 \
  --http-listen="$http" --port-file="$scratch/ports" --lame-duck-seconds=0 2>"$log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$scratch"' EXIT
ready() { [ -s "$scratch/ports" ] &&
  curl -sf "http://127.0.0.1:$(jq .admin "$scratch/ports")/readyz" >/dev/null; }
until ready; do
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
alignsae() { "$bin/alignsae" --server="127.0.0.1:$(jq .grpc "$scratch/ports")" "$@"; }

printf '\nQuestion: %s\n' "$question"
printf '(%s was never asked about in training; the SAE never saw this wording.)\n' "$name"
printf '\n$ alignsae read "%s"\n' "$question"
alignsae read "$question"
printf '\n$ alignsae swap "%s" --to employer\n' "$question"
alignsae swap "$question" --to employer
jq -r '"\nIn the data: born in \(.facts.birth_city), works for \(.facts.employer)."' <<<"$person"

if [ -z "$serve" ]; then
  printf '\nThe same in a browser: deploy/demo.sh --serve, then http://127.0.0.1:8080/\n'
  exit 0
fi
printf '\nThe page: http://127.0.0.1:%s/\n' "$(jq .http "$scratch/ports")"
printf 'gRPC: 127.0.0.1:%s; the log: %s; Ctrl-C ends it.\n' "$(jq .grpc "$scratch/ports")" "$log"
trap 'exit 0' INT TERM
wait "$server"
