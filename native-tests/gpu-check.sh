#!/bin/sh
# Checks the kernels on this machine's card and times them, in at most ten minutes, without Java and without the internet:
#
#   native-tests/gpu-check.sh [--simulate] [OUT [BUILD]]
#
# Builds the kernels and their tests for the card, runs the tests, runs them again under compute-sanitizer (memcheck and
# racecheck), measures the card and times the kernels beside PyTorch. The tests include the fragment layouts of the tensor
# cores, which the simulator takes on trust. Needs make, g++ 12 and nvcc 12 or newer; compute-sanitizer and python3 with
# torch are used where they are there. --simulate runs all that a machine without a card can, on tiny shapes.
#
# OUT gets report.json, report.txt and the logs (default target/gpu-check), BUILD what is compiled (default OUT/build).
# Status: 0 all is well, 1 a check failed, 2 a tool is missing, 3 there is no card.
set -u
here=$(cd "$(dirname "$0")" && pwd)
simulate=
[ "${1:-}" != --simulate ] || { simulate=1; shift; }
mkdir -p "${1:-$here/../target/gpu-check}" || exit 2
out=$(cd "${1:-$here/../target/gpu-check}" && pwd)
build=${2:-$out/build}
mkdir -p "$build" || exit 2
build=$(cd "$build" && pwd)
programs=$build/gpu-check
deadline=$(($(date +%s) + 590))
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
    printf '%s\t%s\n' "$1" "$2" >> "$out/checks.txt"
}

# Runs a command that must succeed: check NAME SECONDS COMMAND...
check() {
    name=$1
    seconds=$2
    shift 2
    log=$out/$(echo "$name" | tr ' ' '-').log
    timeout "$seconds" "$@" > "$log" 2>&1
    status=$?
    summary=$(sed -n 's/^\[  \([A-Z]*\) *\] \([0-9]*\) tests\{0,1\}[.,].*/\2 \1/p' "$log" | tr 'A-Z\n' 'a-z ' | sed 's/ *$//; s/ \([0-9]\)/, \1/g')
    if [ $status -eq 0 ]; then
        outcome "$name" "${summary:-passed}"
    elif [ $status -eq 124 ]; then
        failed=1
        outcome "$name" "FAILED: not done after $seconds s, see $log"
    else
        failed=1
        outcome "$name" "FAILED${summary:+: $summary}, see $log"
        grep -m 8 -E 'FAILED|expected|ERROR|[Ee]rror' "$log"
    fi
}

rm -f "$out/checks.txt" "$out/torch.txt" "$out/report.json" "$out/report.txt"
: > "$out/checks.txt"
: > "$out/torch.txt"
for tool in make "${CXX:-g++}" awk timeout; do
    command -v "$tool" > /dev/null || missing "$tool was not found on the PATH"
done

goal=gpu-check-programs
[ -z "$simulate" ] || goal=gpu-check-simulator
say "building the tests"
make -C "$here" -j"$(nproc)" OUT="$build" $goal > "$out/build.log" 2>&1 || {
    grep -m 20 -E 'error|undefined' "$out/build.log"
    say "FAILED: the tests do not build, see $out/build.log"
    exit 1
}

if [ -n "$simulate" ]; then
    export LD_LIBRARY_PATH="$programs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    echo .version 7.0 > "$out/image"  # the simulated driver has its kernels in it, and only looks whether this is an image
    export FOVEA_IMAGES="$out/image"
    check "kernel tests" 300 "$programs/kernel-tests"
    check "tests built without GoogleTest" 60 "$programs/mma-test"
else
    device=$("$programs/bench" --device) || exit $?
    arch=${device%% *}
    say "${device#* }, $arch"
    nvcc=${NVCC:-$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")}
    [ -x "$nvcc" ] || missing "nvcc was not found (looked at \$NVCC, PATH, \$CUDA_HOME/bin, /usr/local/cuda/bin)"
    "$nvcc" --list-gpu-code | grep -qx "${arch%a}" || { say "nvcc does not know $arch: PTX for sm_80 is used"; arch=sm_80; }
    say "compiling the kernels"
    NVCC=$nvcc "$here/../kernels/build.sh" "$build/generated" "$build" "$arch" > "$out/kernels.log" 2>&1 \
        || { cat "$out/kernels.log"; outcome "kernel build" FAILED; exit 1; }
    [ -f "$build/fovea.fatbin" ] || { cat "$out/kernels.log"; exit 2; }
    rm -f "$programs"/*.fatbin  # perhaps of another card
    make -C "$here" OUT="$build" NVCC="$nvcc" ARCH="$arch" gpu-check-kernels >> "$out/build.log" 2>&1 \
        || { tail -20 "$out/build.log"; outcome "kernels of the tests" "FAILED to build"; exit 1; }
    FOVEA_IMAGES=$build/fovea.fatbin$(printf ':%s' "$programs"/*.fatbin)
    export FOVEA_IMAGES

    check "kernel tests" "$(allow 120 60)" "$programs/kernel-tests"
    sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
    if [ -x "$sanitizer" ]; then
        export FOVEA_ONE_TURN=1
        for tool in memcheck racecheck; do
            check "kernel tests under $tool" "$(allow 100 240)" \
                "$sanitizer" --tool $tool --error-exitcode 9 "$programs/kernel-tests"
        done
        unset FOVEA_ONE_TURN
    else
        outcome "kernel tests under memcheck, racecheck" "not run: there is no compute-sanitizer"
    fi

    if python3 -c 'import torch' 2> /dev/null; then
        seconds=$(allow 150 100)
        say "timing PyTorch, at most $seconds s"
        "$programs/bench" --list | timeout $((seconds + 20)) python3 "$here/gpu-check/torch_bench.py" "$seconds" \
            > "$out/torch.txt" 2> "$out/torch.log"
        outcome "PyTorch" "$(sed -n '/^PyTorch/{p;q}' "$out/torch.log"), $(cut -f1 "$out/torch.txt" | sort -u | wc -l) workloads"
    else
        outcome "PyTorch" "not run: there is no python3 with torch"
    fi
fi

say "timing the kernels"
timeout "$(allow 150 0)" "$programs/bench" "$out/checks.txt" "$out/torch.txt" "$out/report.json" "$out/report.txt" \
    ${simulate:+--tiny} > "$out/bench.log" 2>&1 || { failed=1; tail -5 "$out/bench.log"; say "FAILED: the timing"; }
[ -n "$simulate" ] || cat "$out/report.txt"
say "results in $out"
exit $failed
