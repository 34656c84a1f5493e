#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the kernels and the whole of Fovea on this machine's card and times both, without the internet and without root:
#
#   native-tests/gpu-check.sh [--simulate] [--only kernels|java] [--bundle FILE] [OUT [BUILD]]
#
# kernels  builds the kernels and their tests for the card, runs the tests, runs them again under compute-sanitizer (memcheck
#          and racecheck), measures the card and times the kernels beside PyTorch. The tests include the fragment layouts of
#          the tensor cores, which the simulator takes on trust. At most ten minutes; needs make, g++ 12 and nvcc 12 or newer,
#          and uses GoogleTest, compute-sanitizer and python3 with torch where they are there.
# java     unpacks the bundle (default target/fovea-linux-x86_64.tar.xz; in an unpacked one it is that) and on the card runs
#          doctor, selftest and PPO, CUDA graphs against launches one by one, and JCublas against Fovea's own kernel. At most
#          ten minutes; needs make and g++, and no Java.
#
# Both are run unless --only names one; the second is left out where there is no bundle. --simulate runs all that a machine
# without a card can, on tiny shapes.
#
# OUT gets report.json, report.txt and log.txt (default target/gpu-check), BUILD what is compiled (default OUT/build).
# Status: 0 all is well, 1 a check failed, 2 a tool is missing, 3 there is no card.
set -u
here=$(cd "$(dirname "$0")" && pwd)
simulate=
only=
bundle=
while [ $# -gt 0 ]; do
    case $1 in
        --simulate) simulate=1; shift ;;
        --only) only=${2:-}; shift; shift ;;
        --bundle) bundle=${2:-}; shift; shift ;;
        --*) echo "unknown option $1; there are --simulate, --only and --bundle" >&2; exit 2 ;;
        *) break ;;
    esac
done
case $only in
    "" | kernels | java) ;;
    *) echo "--only $only: there are kernels and java" >&2; exit 2 ;;
esac
mkdir -p "${1:-$here/../target/gpu-check}" || exit 2
out=$(cd "${1:-$here/../target/gpu-check}" && pwd)
build=${2:-$out/build}
mkdir -p "$build" || exit 2
build=$(cd "$build" && pwd)
programs=$build/gpu-check
log=$out/log.txt
failed=0

say() { echo "[gpu-check] $1"; }
missing() { say "$1"; exit 2; }

# Of the time that is left, what a step may have: at most $1 seconds, and $2 must remain after it.
allow() {
    left=$((deadline - $(date +%s) - $2))
    [ $left -lt "$1" ] || left=$1
    [ $left -gt 1 ] || left=1
    echo $left
}

outcome() {  # NAME TEXT
    say "$1: $2"
    printf '%s\t%s\n' "$1" "$2" >> "$build/checks.txt"
}

# Runs a command, its output behind that of the others in the log, and by itself in BUILD/output: step SECONDS COMMAND...
step() {
    seconds=$1
    shift
    printf '\n== %s\n' "$*" >> "$log"
    before=$(wc -c < "$log")
    timeout "$seconds" "$@" >> "$log" 2>&1
    status=$?
    tail -c +$((before + 1)) "$log" > "$build/output"
    return $status
}

# Says that the last step failed: broken NAME SECONDS STATUS [SUMMARY].
broken() {
    failed=1
    if [ "$3" -eq 124 ]; then
        outcome "$1" "FAILED: not done after $2 s, see $log"
    else
        outcome "$1" "FAILED${4:+: $4}, see $log"
        grep -m 8 -E 'FAILED|^failed|expected|ERROR|[Ee]rror:' "$build/output" || tail -n 3 "$build/output"
    fi
}

# A step that must succeed: check NAME SECONDS COMMAND...
check() {
    name=$1
    shift
    step "$@"
    status=$?
    summary=$(sed -n 's/^\[  \([A-Z]*\) *\] \([0-9]*\) tests\{0,1\}[.,].*/\2 \1/p' "$build/output" | tr 'A-Z\n' 'a-z ' | sed 's/ *$//; s/ \([0-9]\)/, \1/g')
    if [ $status -eq 0 ]; then
        outcome "$name" "${summary:-passed}"
    else
        broken "$name" "$1" $status "$summary"
    fi
    return $status
}

# What must be built for anything to go on.
make_goal() {  # GOAL VARIABLE=VALUE...
    step 600 make -C "$here" -j"$(nproc)" OUT="$build" "$@" && return
    grep -m 20 -E 'error|undefined' "$build/output"
    outcome "$1" "FAILED: it does not build, see $log"
    exit 1
}

# Times what there is to time, and writes the report.
report() {  # OPTION...
    step "$(allow 150 0)" "$programs/bench" --report "$build" "$out" "$@" && return
    failed=1
    tail -5 "$build/output"
    say "FAILED: the report"
}

. "$here/gpu-check/kernels.sh"
. "$here/gpu-check/java.sh"

rm -f "$out/report.json" "$out/report.txt"
: > "$log"
for file in checks.txt torch.txt java.txt; do : > "$build/$file"; done
for tool in make "${CXX:-g++}" awk timeout; do
    command -v "$tool" > /dev/null || missing "$tool was not found on the PATH"
done

if [ -n "$simulate" ]; then
    say "building the simulator"
    make_goal gpu-check-simulator
    export LD_LIBRARY_PATH="$programs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
else
    make_goal gpu-check-bench
    device=$("$programs/bench" --device) || exit $?
    arch=${device%% *}
    say "${device#* }, $arch"
fi

[ "$only" = kernels ] || java_half
[ "$only" = java ] || kernels_half
[ -n "$simulate" ] || cat "$out/report.txt"
say "results in $out"
exit $failed
