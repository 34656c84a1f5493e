#!/bin/sh
# Builds the simulated driver, OUT/libcuda.so.1, and where GoogleTest is installed runs the native tests. Without g++ or
# make it says so, leaves OUT/skipped with the reason, and the tests that need the simulator are skipped.
#
#   native-tests/build.sh OUT
#
# With FOVEA_DEEP set they run on larger shapes too, and again under the sanitizers, in OUT-asan and OUT-tsan.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
rm -f "$out/skipped"

skip() {
    rm -f "$out/libcuda.so.1"
    echo "$1" > "$out/skipped"
    echo "[fovea] CUDA simulator not built, its tests are skipped: $1"
    exit 0
}

for tool in "${CXX:-g++}" make awk; do
    command -v "$tool" > /dev/null || skip "$tool was not found on the PATH"
done
[ "$(uname -m)" = x86_64 ] || skip "the simulator's fibers are for x86-64, this is $(uname -m)"

build() {
    make -C "$here" -j"$(nproc)" OUT="$out" "$@" > "$out/make.log" 2>&1 || { cat "$out/make.log" >&2; exit 1; }
}

[ -x "$out/libcuda.so.1" ] || echo "[fovea] building the CUDA simulator"
build driver
if echo '#include <gtest/gtest.h>' | "${CXX:-g++}" -E -x c++ - > /dev/null 2>&1; then
    build driver check
    if [ -n "${FOVEA_DEEP:-}" ]; then
        echo "[fovea] native tests under AddressSanitizer and UndefinedBehaviorSanitizer"
        build check ASAN=1 OUT="$out-asan"
        echo "[fovea] native tests under ThreadSanitizer"
        # At 2 us a switch between threads, the longest shapes would take hours.
        unset FOVEA_DEEP
        build check TSAN=1 OUT="$out-tsan"
    fi
else
    echo "[fovea] native tests skipped: GoogleTest is not installed (Debian: libgtest-dev)"
fi
"$here/gpu-check.sh" --simulate --only kernels "$out/gpu-check-simulated" "$out" > "$out/gpu-check.log" 2>&1 || { cat "$out/gpu-check.log" >&2; exit 1; }
