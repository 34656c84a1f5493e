#!/bin/sh
# Writes the Java side of the kernels' parameters and compiles the kernels to one fatbin: machine code for the
# architectures below and PTX for the rest. Without nvcc (12 or newer) or g++ the build goes on and the jar is CPU-only.
#
#   kernels/build.sh JAVA_DIR RESOURCE_DIR [ARCH]
#
# JAVA_DIR      root of the generated Java sources; also gets fovea.ptx, for the tests
# RESOURCE_DIR  gets fovea.fatbin, and kernels.txt that says for what it was built, or why not
# ARCH          one architecture such as sm_90a, for a quick build during development; default all
#
# Results are kept in ${XDG_CACHE_HOME:-~/.cache}/fovea/kernels under a hash of all that goes into them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sources=$1
java_dir=$sources/org/fovea/backend/cuda
resources=$2
arch=${3:-all}

# Files are replaced only if they changed, so that javac is not woken for nothing.
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
mkdir -p "$java_dir" "$generated/java" "$resources"
awk -v DIR="$generated" -v JAVA_DIR="$generated/java" -f "$here/common/params.awk" "$here"/*/params.h
for file in "$generated"/java/*.java; do
    cmp -s "$file" "$java_dir/${file##*/}" || cp "$file" "$java_dir/"
done

cpu_only() {
    rm -f "$resources/fovea.fatbin" "$sources/fovea.ptx"
    echo "$1" > "$resources/kernels.txt"
    echo "[fovea] CUDA kernels not built, this jar is CPU-only: $1"
    exit 0
}

find_nvcc() {
    for candidate in "${NVCC:-}" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
}

nvcc=$(find_nvcc)
[ -n "$nvcc" ] || cpu_only "nvcc was not found (looked at \$NVCC, \$CUDA_HOME/bin, PATH, /usr/local/cuda/bin)"
command -v g++ > /dev/null || cpu_only "nvcc needs g++, which was not found on the PATH"
release=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p')
[ "${release%%.*}" -ge 12 ] 2> /dev/null || cpu_only "$nvcc is version ${release:-unknown}; 12 or newer is needed"

# sm_80 A100, 86 and 89 consumer and workstation cards, 90a H100; of the newer majors the first of each, whose code its
# later members run too.
if [ "$arch" != all ]; then
    archs=$arch
    ptx=compute_${arch#sm_}
else
    archs="sm_80 sm_86 sm_89 sm_90a $("$nvcc" --list-gpu-code | sed -n 's/^sm_\([1-9][0-9]\{2,\}\)$/\1/p' | sort -n \
        | awk '!seen[int($1 / 10)]++ { print "sm_" $1 }' | tr '\n' ' ')"
    ptx=compute_80
fi
archs=$(echo $archs)

key=$( (cd "$here" && find . -type f | sort | xargs sha256sum; "$nvcc" --version; echo "$archs") | sha256sum | cut -c1-32)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fovea/kernels/$key
if [ ! -d "$cache" ]; then
    echo "[fovea] compiling CUDA kernels for $archs"
    out=$generated/out
    mkdir "$out"
    targets="-gencode arch=$ptx,code=$ptx"
    for a in $archs; do
        targets="$targets -gencode arch=compute_${a#sm_},code=$a"
    done
    flags="-std=c++17 -O3 -I $generated"
    # -v makes ptxas say registers, stack and spills of every kernel.
    if ! "$nvcc" $flags --threads 0 --fatbin -Xptxas -v $targets -o "$out/fovea.fatbin" "$here/fovea.cu" > "$out/ptxas.log" 2>&1; then
        cat "$out/ptxas.log" >&2
        exit 1
    fi
    "$nvcc" $flags --ptx -arch "$ptx" -o "$out/fovea.ptx" "$here/fovea.cu"
    awk -f "$here/resources.awk" "$out/ptxas.log" > "$out/report.txt" || { cat "$out/report.txt" >&2; exit 1; }
    echo "$archs, PTX $ptx (nvcc $release)" > "$out/kernels.txt"
    mkdir -p "${cache%/*}"
    mv "$out" "$cache" 2> /dev/null || [ -d "$cache" ]   # another build may have been faster
    cat "$cache/report.txt"
fi
for file in fovea.fatbin kernels.txt; do
    cmp -s "$cache/$file" "$resources/$file" || cp "$cache/$file" "$resources/$file"
done
cp "$cache/fovea.ptx" "$sources/fovea.ptx"  # what the tests read
