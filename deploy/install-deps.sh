#!/usr/bin/env bash
# Installs what building and running Millrace needs, from Debian 12's own packages.
#
#   deploy/install-deps.sh          to build and run it, and what the demo uses
#   deploy/install-deps.sh --dev    also what tests, formatting and fuzzing use
#
# Idempotent: when every package is there it says so and touches neither apt nor the network. Runs as root or
# through sudo. Exit 0 = all installed, 1 = not possible here (the message says why), 64 = wrong usage.
set -euo pipefail

readonly build_packages=(
  g++ cmake ninja-build pkg-config
  ccache mold # optional to CMake: a second build and every link take a fraction of the time
  capnproto libcapnp-dev
  libzmq3-dev cppzmq-dev libsodium-dev
  libboost1.81-dev libssl-dev libcurl4-openssl-dev libcrypto++-dev libsecp256k1-dev
  libsqlite3-dev libsqlitecpp-dev libseccomp-dev
  nlohmann-json3-dev libspdlog-dev libfmt-dev libcli11-dev prometheus-cpp-dev
  libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev libswresample-dev
  catch2 # CMake configures tests/ always
)
readonly demo_packages=(ffmpeg python3 util-linux)
readonly dev_packages=(
  clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev
  openssl curl # tests make certificates and are clients with them
  strace # a test watches what an engine asks of the kernel
  libffmpeg-nvenc-dev # NVENC's headers, for the tests' stand-in of its library
)

die() {
  echo "install-deps: $*" >&2
  exit 1
}

packages=("${build_packages[@]}" "${demo_packages[@]}")
for argument in "$@"; do
  case "$argument" in
    --dev) packages+=("${dev_packages[@]}") ;;
    -h | --help)
      sed -n '2,8s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "install-deps: unknown argument '$argument' (known: --dev)" >&2
      exit 64
      ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps: all ${#packages[@]} packages are installed"
  exit 0
fi

# Only now does the distribution matter: a machine that has the packages needs no apt.
. /etc/os-release 2>/dev/null || die "no /etc/os-release: this is not a Linux distribution known here"
if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 12 ]; then
  die "this is ${PRETTY_NAME:-an unknown system}; the packages are named for Debian 12 (bookworm).
Install these, or what your distribution calls them, by hand: ${missing[*]}"
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die "not root and no sudo; run as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}

echo "install-deps: installing ${#missing[@]} packages: ${missing[*]}"
apt update || die "apt-get update failed; is a Debian mirror within reach?"
apt install -y --no-install-recommends "${missing[@]}" >/dev/null ||
  die "apt-get could not install: ${missing[*]}"
echo "install-deps: done"
