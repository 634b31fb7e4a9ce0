#!/usr/bin/env bash
# Installs the packages, builds, and runs every test. Needs Debian 12.
#
#   tests/run.sh              all of it (what CI runs), sanitizers and fuzzers too
#   tests/run.sh -L unit      arguments go to ctest; no sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/install-packages.sh --tests
cmake --preset dev
cmake --build --preset dev
ctest --preset dev "$@"
[ $# -gt 0 ] || tests/run_sanitized.sh 10
