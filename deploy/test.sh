#!/usr/bin/env bash
# Everything that must hold, on a machine that has nothing: installs, builds, tests. Fast tests first.
#
#   deploy/test.sh                 all of it; about half an hour on 2 cores without a compiler cache
#   deploy/test.sh PART...         some of it: style unit sim integration demo tsan
#
# style: formatting. unit, sim, integration: ctest under preset dev (address and undefined-behaviour sanitizers). demo:
# deploy/demo.sh --once with the same binaries. tsan: the unit tests of cores, lanes, link, front and store under
# ThreadSanitizer. The last line is "N passed, N failed"; exit 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."

readonly parts_known=(style unit sim integration demo tsan)
# Directories of tests/unit that run under ThreadSanitizer too. http and runtime run there through front and the links:
# their own tests would cost a minute more of building than the rest of it is worth.
readonly tsan_modules='(orchestrator_core|transcoder_core|net|orchestrator_link|transcoder_link|front|store)'
readonly jobs=$(nproc)

case "${1:-}" in
  -h | --help)
    sed -n '2,10s/^# \{0,1\}//p' deploy/test.sh
    exit 0
    ;;
esac
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${parts_known[@]}")
for part in "${parts[@]}"; do
  case " ${parts_known[*]} " in
    *" $part "*) ;;
    *)
      echo "test: unknown part '$part'; known: ${parts_known[*]}" >&2
      exit 64
      ;;
  esac
done

passed=0 failed=0 skipped=0
summary=()
export CTEST_OUTPUT_ON_FAILURE=1
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 # a clone elsewhere finds what another one compiled

note() { # seconds, text
  summary+=("$(printf '%5d s  %s' "$1" "$2")")
}

count() { # "passed failed skipped"
  read -r p f s <<<"$1"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# What must work before anything can be tested; counted only when it fails.
prepare() { # name, command...
  step "0 0 0" "$@"
}

# A check that passes or fails as a whole.
check() { # name, command...
  step "1 0 0" "$@"
}

step() { # totals when it works, name, command...
  local totals=$1 name=$2 started=$SECONDS
  shift 2
  printf '\n==== %s\n' "$name"
  if "$@"; then
    count "$totals"
    note $((SECONDS - started)) "$name: ok"
    return 0
  fi
  count "0 1 0"
  note $((SECONDS - started)) "$name: FAILED"
  return 1
}

# A ctest run; its totals come from its own report.
run_ctest() { # name, ctest arguments...
  local name=$1 started=$SECONDS report totals
  shift
  report=$(mktemp)
  printf '\n==== %s\n' "$name"
  # Real processes and clocks on a shared machine: what fails is run once more, and both runs are shown. What is
  # wrong and not unlucky fails twice.
  ctest --output-junit "$report" --no-tests=error --repeat until-pass:2 "$@"
  local code=$?
  totals=$(/usr/bin/python3 - "$report" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot()
except (OSError, tree.ParseError):
    print("0 1 0")  # no report: it did not run
else:
    tests, failures, skips = (int(suite.get(k, 0)) for k in ("tests", "failures", "skipped"))
    skips += int(suite.get("disabled", 0))
    print(tests - failures - skips, failures, skips)
PYTHON
  )
  rm -f "$report"
  set -- $totals
  [ "$code" -eq 0 ] || [ "$2" -gt 0 ] || totals="$1 1 $3"
  count "$totals"
  note $((SECONDS - started)) "$name: $1 passed, $2 failed, $3 skipped"
}

style() {
  find benchmarks common orchestrator schemas tests transcoder \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' \) -print0 |
    xargs -0 clang-format-14 --dry-run --Werror --ferror-limit=3
}

configure() { # preset
  [ -f "build/$1/build.ninja" ] || cmake --preset "$1"
}

dev_built=
build_dev() {
  [ -z "$dev_built" ] || return "$dev_built"
  prepare "build dev" eval 'configure dev && cmake --build --preset dev'
  dev_built=$?
  return "$dev_built"
}

tsan() {
  local directories targets=() directory
  prepare "configure tsan" configure tsan || return
  directories=$(find tests/unit -mindepth 1 -maxdepth 1 -type d | grep -E "/$tsan_modules\$" | sort)
  for directory in $directories; do
    targets+=("$directory/all")
  done
  prepare "build tsan" ninja -C build/tsan "${targets[@]}" || return
  local options=halt_on_error=1:second_deadlock_stack=1
  [ ! -f tests/tsan.supp ] || options+=":suppressions=$PWD/tests/tsan.supp"
  for directory in $directories; do
    TSAN_OPTIONS=$options run_ctest "tsan ${directory#tests/unit/}" --test-dir "build/tsan/$directory" -j "$jobs"
  done
}

for_part() {
  case "$1" in
    style) check "style" style ;;
    unit) build_dev && run_ctest "unit tests" --preset dev -L unit -j "$jobs" ;;
    sim) build_dev && run_ctest "simulator and the rest" --preset dev -LE 'unit|integration' -j "$jobs" ;;
    integration) build_dev && run_ctest "integration tests" --preset dev -L integration -j "$jobs" ;;
    demo) build_dev && check "demo --once" deploy/demo.sh --once --preset dev ;;
    tsan) tsan ;;
  esac
}

prepare "install" deploy/install-deps.sh --dev &&
  for part in "${parts[@]}"; do
    for_part "$part"
  done

printf '\n==== summary (%d min %d s)\n' $((SECONDS / 60)) $((SECONDS % 60))
printf '%s\n' "${summary[@]}"
tail=
[ "$skipped" -eq 0 ] || tail=", $skipped skipped"
echo "$passed passed, $failed failed$tail"
[ "$failed" -eq 0 ]
