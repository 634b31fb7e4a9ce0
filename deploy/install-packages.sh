#!/usr/bin/env bash
# Installs what AlignSAE needs from Debian 12's own packages. Safe to run again:
# it installs only what is missing and says so.
#
#   deploy/install-packages.sh           to build and run
#   deploy/install-packages.sh --page    also Node.js and npm, which build the web page
#   deploy/install-packages.sh --tests   also what the tests call; the page is not among it
#   deploy/install-packages.sh --arm64   also what compiles and runs the kernels for arm64
set -euo pipefail

build=(build-essential cmake ninja-build ccache mold pkg-config
       libtorch-dev libopenblas0-openmp libopenblas-openmp-dev libdnnl-dev
       libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
       libabsl-dev prometheus-cpp-dev libcpp-httplib-dev libssl-dev zlib1g-dev
       libcli11-dev nlohmann-json3-dev libspdlog-dev libutf8proc-dev jq curl)
tests=(libgtest-dev libgmock-dev libbenchmark-dev prometheus gnuplot-nox
       python3 python3-grpcio python3-protobuf python3-yaml yamllint
       clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev openssl
       tmux zsh fish groff-base)

packages=("${build[@]}" libgtest-dev libgmock-dev)
if [ "${1:-}" = --tests ]; then
  packages=("${build[@]}" "${tests[@]}")
elif [ "${1:-}" = --page ]; then
  # Those of another source do as well.
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm)
elif [ "${1:-}" = --arm64 ]; then
  packages+=(g++-aarch64-linux-gnu qemu-user googletest)
elif [ $# -gt 0 ]; then
  echo "usage: $0 [--page | --tests | --arm64]" >&2
  exit 64
fi

if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "install-packages: needs root or sudo" >&2
  exit 77
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  echo "install-packages: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  # The prometheus package would start a server of its own; the tests start theirs.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "install-packages: all ${#packages[@]} packages are there"
fi

# LibTorch brings GNU OpenMP. The pthread build of OpenBLAS beside it has two
# thread pools fight for the cores (2.5x slower), so the OpenMP build is chosen.
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
for library in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
  file=/usr/lib/$triplet/openblas-openmp/$library
  current=$(readlink -f "/etc/alternatives/$library-$triplet" || true)
  if [ "$current" != "$(readlink -f "$file")" ]; then
    echo "install-packages: $library -> $file"
    "${as_root[@]}" update-alternatives --set "$library-$triplet" "$file" >/dev/null
  fi
done
