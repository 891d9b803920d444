#!/usr/bin/env bash
# Millrace in one command: installs what it needs, builds, starts an orchestrator and two transcoders on loopback, pushes
# two live streams, kills one transcoder half way, and checks everything that came back.
#
#   deploy/demo.sh                 then stays up with two live streams and prints what to watch; Ctrl-C ends it all
#   deploy/demo.sh --once          ends after the checks: exit 0 = all held, 1 = something did not
#   deploy/demo.sh --input FILE    pushes this file instead of the clips of ../shared/media or a generated one
#   deploy/demo.sh --preset NAME   builds and runs another preset of CMakePresets.json (default: release)
#   deploy/demo.sh --keep DIR      works in DIR (new or empty) and leaves everything there: segments, renditions, logs
set -euo pipefail
started_in=$PWD
cd "$(dirname "$0")/.."

preset=release
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --once) arguments+=("$1") ;;
    --input | --keep)
      [ $# -ge 2 ] || { echo "demo: $1 needs a value" >&2; exit 64; }
      arguments+=("$1" "$(cd "$started_in" && realpath -m -- "$2")")
      shift
      ;;
    --preset)
      [ $# -ge 2 ] || { echo "demo: $1 needs a value" >&2; exit 64; }
      preset=$2
      shift
      ;;
    -h | --help)
      sed -n '2,10s/^# \{0,1\}//p' deploy/demo.sh
      exit 0
      ;;
    *)
      echo "demo: unknown argument '$1'; see deploy/demo.sh --help" >&2
      exit 64
      ;;
  esac
  shift
done

deploy/install-deps.sh
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"
cmake --build --preset "$preset" --target orchestrator transcoder

# exec: the driver takes this shell's place, so a signal to demo.sh reaches it.
exec /usr/bin/python3 -B deploy/demo/main.py --bin "build/$preset/bin" ${arguments[@]+"${arguments[@]}"}
