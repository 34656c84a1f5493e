# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The kernels' half of gpu-check.sh, which reads this file: tests and timings without Java.

# The kernel tests, built here, or elsewhere and carried here in BUILD: kernel_tests NAME SECONDS [COMMAND...].
kernel_tests() {
    name=$1
    seconds=$2
    shift 2
    if [ -x "$programs/kernel-tests" ]; then
        check "$name" "$seconds" "$@" "$programs/kernel-tests"
    else
        outcome "$name" "not run: GoogleTest is not installed (Debian: libgtest-dev), and $programs/kernel-tests was not brought"
    fi
}

kernels_half() {
    deadline=$(($(date +%s) + 590))
    if [ -n "$simulate" ]; then
        echo .version 7.0 > "$build/image"  # the simulated driver has its kernels in it, and only looks whether this is an image
        export FOVEA_IMAGES="$build/image"
        kernel_tests "kernel tests" 300
        report --tiny
        return
    fi

    nvcc=${NVCC:-$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")}
    [ -x "$nvcc" ] || missing "nvcc was not found (looked at \$NVCC, PATH, \$CUDA_HOME/bin, /usr/local/cuda/bin)"
    "$nvcc" --list-gpu-code | grep -qx "${arch%a}" || { say "nvcc does not know $arch: PTX for sm_80 is used"; arch=sm_80; }
    say "building the kernels and their tests"
    make_goal gpu-check-programs
    step 600 env NVCC="$nvcc" "$here/../kernels/build.sh" "$build/ptx" "$build" "$arch" \
        || { cat "$build/output"; outcome "kernel build" FAILED; exit 1; }
    [ -f "$build/fovea.fatbin" ] || { cat "$build/output"; exit 2; }
    rm -f "$programs"/*.fatbin  # perhaps of another card
    make_goal gpu-check-kernels NVCC="$nvcc" ARCH="$arch"
    FOVEA_IMAGES=$build/fovea.fatbin$(printf ':%s' "$programs"/*.fatbin)
    export FOVEA_IMAGES

    kernel_tests "kernel tests" "$(allow 120 60)"
    sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
    if [ -x "$sanitizer" ]; then
        export FOVEA_ONE_TURN=1
        for tool in memcheck racecheck; do
            kernel_tests "kernel tests under $tool" "$(allow 100 240)" "$sanitizer" --tool $tool --error-exitcode 9
        done
        unset FOVEA_ONE_TURN
    else
        outcome "kernel tests under memcheck, racecheck" "not run: there is no compute-sanitizer"
    fi

    if python3 -c 'import torch' 2> /dev/null; then
        seconds=$(allow 150 100)
        say "timing PyTorch, at most $seconds s"
        "$programs/bench" --list | timeout $((seconds + 20)) python3 "$here/gpu-check/torch_bench.py" "$seconds" \
            > "$build/torch.txt" 2>> "$log"
        outcome "PyTorch" "$(sed -n '/^PyTorch/{p;q}' "$build/torch.txt"), $(cut -f1 "$build/torch.txt" | sort -u | wc -l) workloads"
    else
        outcome "PyTorch" "not run: there is no python3 with torch"
    fi
    say "timing the kernels"
    report
}
