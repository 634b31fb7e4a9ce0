#!/usr/bin/env bash
# The tests of everything that does not need LibTorch or gRPC (Debian's are not
# instrumented) under ASan + UBSan and under TSan, and a short run of each fuzzer.
#
#   tests/run_sanitized.sh [SECONDS_PER_FUZZER]     default 20
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}

for preset in asan-ubsan tsan; do
  cmake --preset "$preset" -DALIGNSAE_TORCH=OFF -DALIGNSAE_GRPC=OFF >/dev/null
  cmake --build --preset "$preset"
  (cd "build/$preset" && ctest --output-on-failure -L unit)
done

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
for target in build/fuzz/bin/*_fuzz; do
  name=$(basename "$target" _fuzz)
  corpus=$(mktemp -d)
  seeds=tests/fuzz/corpus/$name
  echo "fuzz: $name for ${seconds} s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
    -verbosity=0 "$corpus" $([ -d "$seeds" ] && echo "$seeds")
  rm -rf "$corpus"
done
echo "sanitized tests and fuzzers found nothing"
