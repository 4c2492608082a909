# Shared by the scripts beside this folder; sourced, never run. Needs bash.
set -euo pipefail

KW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$KW_ROOT"

# Debian 12 names. Ubuntu 24.04 has the same names; it is untried.
KW_BUILD_PACKAGES=(g++ cmake ninja-build make pkg-config ca-certificates
  libboost-dev libcli11-dev libcurl4-openssl-dev libexpected-dev libfmt-dev libsqlite3-dev
  nlohmann-json3-dev zlib1g-dev)
KW_TEST_PACKAGES=(libgtest-dev libgmock-dev libbenchmark-dev git procps)
KW_WHEEL_PACKAGES=(python3-minimal python3-pip)

kw_say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
kw_die() { printf 'error: %s\n' "$*" >&2; exit 3; }

kw_jobs() { nproc; }

# kw_packages NAME...: installs what is missing; says which command to run when it may not.
kw_packages() {
  command -v dpkg-query >/dev/null || kw_die "this script installs its needs with apt (Debian 12, Ubuntu 24.04). Elsewhere install the equivalents of: $*"
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      sudo=(sudo)
    else
      kw_die "packages are missing. Run as root, then start again:  apt-get install -y --no-install-recommends ${missing[*]}"
    fi
  fi
  kw_say "installing ${missing[*]}"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

kw_has_toolkit() {
  local home
  for home in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda; do
    [ -n "$home" ] && compgen -G "$home/lib64/libnvrtc.so.*" >/dev/null && [ -e "$home/include/cuda_fp16.h" ] && return 0
  done
  return 1
}

# NVRTC from PyPI wheels, pinned by version and hash, into .deps/nvrtc/{lib,include}.
kw_nvrtc() {
  if [ -z "${KW_FORCE_WHEELS:-}" ] && kw_has_toolkit; then return 0; fi
  local stamp=.deps/nvrtc/.stamp want
  want=$(sha256sum scripts/lib/nvrtc-requirements.txt | cut -d' ' -f1)
  [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
  kw_packages "${KW_WHEEL_PACKAGES[@]}"
  kw_say "no CUDA toolkit found: fetching NVRTC 12.8 and its headers from PyPI (130 MB)"
  rm -rf .deps/nvrtc .deps/wheels
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --no-compile \
    --target .deps/wheels -r scripts/lib/nvrtc-requirements.txt
  mkdir -p .deps/nvrtc/lib .deps/nvrtc/include
  mv .deps/wheels/nvidia/cuda_nvrtc/lib/libnvrtc*.so.* .deps/nvrtc/lib/
  cp -r .deps/wheels/nvidia/cuda_runtime/include/. .deps/nvrtc/include/
  cp -r .deps/wheels/nvidia/cuda_nvcc/include/. .deps/nvrtc/include/
  rm -rf .deps/wheels
  printf '%s' "$want" > "$stamp"
}

# kw_build PRESET [cmake options...] [-- targets...]
kw_build() {
  local preset=$1; shift
  local options=()
  while [ $# -gt 0 ] && [ "$1" != "--" ]; do options+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  kw_say "building ($preset)"
  cmake --preset "$preset" "${options[@]}" >/dev/null
  cmake --build --preset "$preset" -j "$(kw_jobs)" ${1:+--target "$@"}
}
