#!/usr/bin/env bash
# Installs the packages, builds, and runs the tests. Needs Debian 12.
#
#   tests/run.sh              what CI runs: all but --interop and --long, sanitizers and
#                             fuzzers too; Debian's packages and committed files only
#   tests/run.sh --interop    other people's newest tools from PyPI, npm and the Go proxy
#   tests/run.sh --long       soak, mutation, full lint, faults that must be found,
#                             longer simulations, LibTorch under AddressSanitizer
#   tests/run.sh -L unit      other arguments go to ctest; no sanitizers
#
# tests/README.md says what each tier holds and how long it takes.
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-packages.sh --tests
cmake --preset dev
cmake --build --preset dev
case "${1:-}" in
  --interop)
    ctest --preset dev -L interop --no-tests=error
    ;;
  --long)
    deploy/install-packages.sh --arm64
    tests/run_sanitized.sh --long
    ctest --preset dev -L long --no-tests=error
    ;;
  "")
    # ctest comes last: its closing line is the run's.
    tests/run_sanitized.sh
    ctest --preset dev -j "$(nproc)" -LE "interop|long"
    ;;
  *)
    ctest --preset dev "$@"
    ;;
esac
