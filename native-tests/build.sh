#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the simulated driver, OUT/libcuda.so.1, and runs the native tests and gpu-check's kernel half on it, if they have
# changed since they last passed. Without g++ or make it says so, leaves OUT/skipped with the reason, and the tests that need
# the simulator are skipped; without GoogleTest the native tests are.
#
#   native-tests/build.sh OUT
#
# Where kernels/build.sh has left the kernels' PTX in OUT/../kernels the native tests run on that too.
#
# With FOVEA_DEEP set they run on larger shapes too, and again under the sanitizers, in OUT-asan and OUT-tsan.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
rm -f "$out/skipped"

skip() {
    rm -f "$out/libcuda.so.1"
    echo "$1" > "$out/skipped"
    echo "[fovea] skipped, for $1: the CUDA simulator, the native tests, and the Java tests of the CUDA backend"
    exit 0
}

for tool in "${CXX:-g++}" make awk; do
    command -v "$tool" > /dev/null || skip "$tool was not found on the PATH"
done
[ "$(uname -m)" = x86_64 ] || skip "the simulator's fibers are for x86-64 and this is $(uname -m)"

build() {
    make -C "$here" -j"$(nproc)" OUT="$out" "$@" > "$out/make.log" 2>&1 || { cat "$out/make.log" >&2; exit 1; }
}

[ -x "$out/libcuda.so.1" ] || echo "[fovea] building the CUDA simulator"
build driver
if echo '#include <gtest/gtest.h>' | "${CXX:-g++}" -E -x c++ - > /dev/null 2>&1; then
    make -q -C "$here" OUT="$out" check > /dev/null 2>&1 || echo "[fovea] native tests"
    build check
    ptx=$(dirname "$out")/kernels/lines.fatbin
    if [ -f "$ptx" ]; then
        make -q -C "$here" OUT="$out" PTX="$ptx" ptx-check > /dev/null 2>&1 || echo "[fovea] native tests on the kernels' PTX"
        build ptx-check PTX="$ptx"
    fi
    if [ -n "${FOVEA_DEEP:-}" ]; then
        echo "[fovea] native tests under AddressSanitizer and UndefinedBehaviorSanitizer"
        build check ASAN=1 OUT="$out-asan"
        echo "[fovea] native tests under ThreadSanitizer"
        # At 2 us a switch between threads, the longest shapes would take hours.
        unset FOVEA_DEEP
        build check TSAN=1 OUT="$out-tsan"
    fi
else
    echo "[fovea] skipped, for GoogleTest is not installed (Debian: libgtest-dev): the native tests and gpu-check's kernel tests"
fi

# What gpu-check.sh runs, and of the stamp the time at which it began.
build gpu-check-simulator
programs=$(find "$here/gpu-check" "$here/gpu-check.sh" "$out/gpu-check" -type f -newer "$out/gpu-check.passed" 2> /dev/null | head -n 1) || true
if [ ! -f "$out/gpu-check.passed" ] || [ -n "$programs" ]; then
    echo "[fovea] gpu-check on the simulated device"
    touch "$out/gpu-check.began"
    "$here/gpu-check.sh" --simulate --only kernels "$out/gpu-check-simulated" "$out" > "$out/gpu-check.log" 2>&1 || { cat "$out/gpu-check.log" >&2; exit 1; }
    mv "$out/gpu-check.began" "$out/gpu-check.passed"
fi
