#!/usr/bin/env bash
# The tests under AddressSanitizer with UndefinedBehaviorSanitizer and under
# ThreadSanitizer, and a run of each fuzzer.
#
#   tests/run_sanitized.sh           what needs neither LibTorch nor gRPC, of that only
#                                    what has threads under ThreadSanitizer; 10 s a fuzzer.
#                                    Tests and fuzzers share one build, by Clang
#   tests/run_sanitized.sh --long    all of it under both, also the gRPC services and the
#                                    client, with the fake executor; LibTorch's part by
#                                    AddressSanitizer alone (its OpenMP is not
#                                    instrumented); 120 s a fuzzer
#
# Debian's libraries are not instrumented: tests/sanitizers/*.supp say what is left out
# for that, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
long=${1:-}
seconds=10
[ "$long" = --long ] && seconds=120

export TSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/tsan.supp:halt_on_error=1"
export LSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/lsan.supp:print_suppressions=0"

# sanitized LABEL TARGET PRESET FOLDER [CMAKE ARGUMENTS]: only our programs, not the scripts
# that the other builds run too.
sanitized() {
  local label=$1 target=$2 preset=$3 folder=build/$4
  shift 4
  cmake --preset "$preset" -B "$folder" "$@" >/dev/null
  cmake --build "$folder" --target "$target"
  (cd "$folder" && ctest --output-on-failure -j "$(nproc)" -L program -L "$label")
}

sanitized unit all asan-ubsan asan-ubsan -DALIGNSAE_TORCH=OFF -DALIGNSAE_GRPC=OFF
if [ "$long" = --long ]; then
  sanitized unit all asan-ubsan asan-grpc -DALIGNSAE_TORCH=OFF -DALIGNSAE_FUZZ=OFF
  sanitized unit all tsan tsan-grpc
  # LibTorch's OpenMP is GCC's.
  sanitized unit all asan-ubsan asan-libtorch -DCMAKE_CXX_COMPILER=g++ -DALIGNSAE_FUZZ=OFF
else
  sanitized threads thread_tests tsan tsan -DALIGNSAE_GRPC=OFF
fi

fuzz() {
  local name corpus seeds
  name=$(basename "$1" _fuzz)
  corpus=$(mktemp -d)
  seeds=tests/fuzz/corpus/$name
  echo "fuzz: $name for $2 s"
  "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
    -verbosity=0 "$corpus" $([ -d "$seeds" ] && echo "$seeds") || return
  rm -rf "$corpus"
}
export -f fuzz
printf '%s\n' build/asan-ubsan/bin/*_fuzz |
  xargs -P "$(nproc)" -I TARGET bash -c "fuzz TARGET $seconds"
echo "sanitized tests and fuzzers found nothing"
