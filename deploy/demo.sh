#!/usr/bin/env bash
# From a fresh Debian 12 to a swapped concept: installs the packages, builds,
# starts the server on the bundled demo model, and asks it through the client.
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-packages.sh
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
"$bin/alignsae-server" --model="$bundle" --listen=127.0.0.1:0 --admin-listen=127.0.0.1:0 \
  --port-file="$scratch/ports" --lame-duck-seconds=0 2>"$scratch/log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$scratch"' EXIT
ready() { [ -s "$scratch/ports" ] &&
  curl -sf "http://127.0.0.1:$(jq .admin "$scratch/ports")/readyz" >/dev/null; }
until ready; do
  kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; exit 1; }
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
