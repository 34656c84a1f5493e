#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels to fatbins: machine code for some architectures and PTX for the rest. Without a GPU to compile for,
# nvcc (12 or newer) or g++ the build goes on and the jar is CPU-only.
#
#   kernels/build.sh PTX_DIR RESOURCE_DIR [ARCH]
#
# PTX_DIR       gets fovea.ptx, for the tests, report.txt: registers and shared memory of every kernel, and lines.fatbin: the
#               PTX of all files with the lines of the source, for the simulator (native-tests/ptx); and cubins.txt: where the
#               machine code is, for report.sh
# RESOURCE_DIR  gets fovea.fatbin, the fatbins of all files one behind the other, and kernels.txt that says for what it was
#               built, with the driver it needs and its checksum, or why it was not; and fovea.ptx for drivers that are too
#               old for the machine code
# ARCH          cards: what this machine's GPUs run, so nothing where there are none; auto, the default: the same, and sm_80
#               where there are none; all: what a release has; or architectures of your own, such as "sm_90a sm_120";
#               or ptx: lines.fatbin and nothing else
#
# FOVEA_KERNELS may name a directory whose .cu files are compiled too: a user's environments, which include environment.cuh.
#
# Each .cu goes through the compiler's front end once, to PTX, and from there to machine code per architecture (compile.sh).
# A piece is kept in ${XDG_CACHE_HOME:-~/.cache}/fovea/kernels under a hash of all that goes into it, so an edit recompiles
# one file. Pieces arrive by an atomic move: builds may run at once, or be killed.
set -eu
FATBIN_LIMIT_MIB=20

# A100; H100; of the newer majors the first of each. Later members of a major run the code of its first: RTX 30, A10 and
# RTX 40 that of sm_80. An 'a' is for that one member alone.
RELEASED="sm_80 sm_90a sm_100 sm_120"

mkdir -p "$1" "$2"
ptx_dir=$(cd "$1" && pwd)
resources=$(cd "$2" && pwd)
arch=${3:-auto}

GENERATED=$(mktemp -d)
progress=
trap '[ -z "$progress" ] || kill "$progress" 2> /dev/null; rm -rf "$GENERATED"' EXIT
trap 'exit 130' HUP INT TERM

# A copy, so that what is hashed is what is compiled, though somebody may be editing.
cp -R "$(dirname "$0")" "$GENERATED/kernels"
if [ -n "${FOVEA_KERNELS:-}" ]; then
    mkdir "$GENERATED/kernels/own"
    cp "$FOVEA_KERNELS"/*.cu "$GENERATED/kernels/own" || { echo "[fovea] FOVEA_KERNELS is $FOVEA_KERNELS, which has no .cu" >&2; exit 1; }
fi
cd "$GENERATED/kernels"
awk -v DIR="$GENERATED" -f common/params.awk */params.h

cpu_only() {
    rm -f "$resources/fovea.fatbin" "$resources/fovea.ptx" "$ptx_dir/fovea.ptx" "$ptx_dir/lines.fatbin"
    echo "$1" | cmp -s - "$resources/kernels.txt" || echo "$1" > "$resources/kernels.txt"
    echo "[fovea] CUDA kernels not built, this jar is CPU-only: $1"
    exit 0
}

fail() {
    echo "[fovea] kernels/build.sh: $1" >&2
    if [ -d "${CACHE:-}" ] && [ "$(df -Pk "$CACHE" | awk 'NR == 2 { print $4 }')" -lt 4096 ]; then
        echo "[fovea] the disk of $CACHE is full: free some space, or set XDG_CACHE_HOME to another disk" >&2
    fi
    exit 1
}

find_nvcc() {
    for candidate in "${NVCC:-}" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
}

# The driver that takes this compiler's machine code: that of its CUDA release (NVIDIA: CUDA Compatibility, table 1), and of
# CUDA 12.4 where the fatbin is compressed as that introduced.
least_driver() {
    case $release in
        12.[0-3]) echo 525 ;;
        12.*) echo 550.54 ;;
        13.*) echo 580 ;;
        *) echo "of CUDA ${release%%.*}" ;;
    esac
}

least_driver_version() {
    case $release in
        12.[0-3] | 1[3-9].*) echo "${release%%.*}000" ;;
        *) echo 12040 ;;
    esac
}

case $arch in
    cards) arch=$(sh cards.sh) || cpu_only "$arch" ;;
    auto) arch=$(sh cards.sh) || arch=sm_80 ;;
esac
NVCC=$(find_nvcc)
[ -n "$NVCC" ] || cpu_only "nvcc was not found (looked at \$NVCC, \$CUDA_HOME/bin, PATH, /usr/local/cuda/bin); a bundle from a machine that has it brings them ready (docs/gpu-setup.md)"
command -v g++ > /dev/null || cpu_only "nvcc needs g++, which was not found on the PATH"
version=$("$NVCC" --version)
release=$(echo "$version" | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p')
[ "${release%%.*}" -ge 12 ] 2> /dev/null || cpu_only "$NVCC is version ${release:-unknown}; 12 or newer is needed"
# Other compilers warn about other things than the one this code is tested with.
STRICT=
[ "$release" != 13.0 ] || STRICT=1
# Where ptxas and fatbinary are; the nvcc on the PATH may be a wrapper that lies elsewhere.
TOOLS=$("$NVCC" --dryrun --ptx kernel.cu 2>&1 | sed -n 's/^#\$ _HERE_=//p')

# Compilers before 12.8 know nothing of Blackwell, which gets PTX from them.
known=$("$NVCC" --list-gpu-code)
if [ "$arch" = all ]; then
    arch=$RELEASED
fi
if [ "$arch" = ptx ]; then
    archs=
else
    for name in $arch; do
        echo "$known" | grep -qx "${name%a}" && echo "$name" || echo "[fovea] $NVCC does not know $name, which gets PTX" >&2
    done > "$GENERATED/archs"
    arch=$(cat "$GENERATED/archs")
    [ -n "$arch" ] || arch=sm_80
    archs=$(echo $arch)
fi

if grep -n __CUDA_ARCH__ */*.cu */*.cuh >&2; then
    fail "__CUDA_ARCH__ would always be 800: the machine code of every architecture is made from the same PTX"
fi

CACHE=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/fovea/kernels
if ! mkdir -p "$CACHE" 2> /dev/null || ! [ -w "$CACHE" ]; then
    echo "[fovea] $CACHE can't be written to; compiled kernels are kept in $ptx_dir/cache"
    CACHE=$ptx_dir/cache
    mkdir -p "$CACHE"
fi
export NVCC TOOLS CACHE GENERATED STRICT

# A file without its comments, which are no reason to compile it again.
mkdir "$GENERATED/code"
code() {
    stripped=$GENERATED/code/$(echo "$1" | tr / _)
    [ -f "$stripped" ] || g++ -fpreprocessed -dD -E -P -w -x c++ "$1" > "$stripped"
    cat "$stripped"
}

# Lines "KEY SOURCE", what takes longest first, so that it is not left to run alone at the end: attention, then the largest file.
# A key covers the file, the headers that it includes, the flags, which are in compile.sh, and the compiler.
for source in $(ls -S attention/*.cu) $(ls -S [!a]*/*.cu); do
    headers=$(g++ -std=c++17 -x c++ -D__CUDACC__ -MM -MG -I "$GENERATED" -I env "$source" | sed 's/^[^:]*://; s/\\$//')
    key=$({ echo "$version $source"; cat compile.sh; for file in $headers; do [ ! -f "$file" ] || code "$file"; done; } \
        | sha256sum | cut -c1-32)
    echo "$key $source"
done > "$GENERATED/files"

# Says every ten seconds how far the compilers are, for they take a minute for an architecture.
watch() {
    total=$(($(wc -l < "$GENERATED/files") * ($(echo "$archs" | wc -w) + 1)))
    # Whoever reads our output doesn't wait for this sleep's end.
    while sleep 10 > /dev/null 2>&1; do
        made=0
        while read -r key _; do
            for type in ptx $(printf '%s.cubin ' $archs); do
                [ ! -f "$CACHE/$key.$type" ] || made=$((made + 1))
            done
        done < "$GENERATED/files"
        echo "[fovea] $made of $total pieces"
    done
}

# Compiles every file to the types given (ptx, sm_80.cubin) as far as the cache lacks them. To assemble takes the longer the
# longer the PTX is.
compile() {
    for type; do
        while read -r key source; do
            [ -f "$CACHE/$key.$type" ] || echo "$(stat -c %s "$CACHE/$key.ptx" 2> /dev/null || echo 0) $key $type $source"
        done < "$GENERATED/files"
    done | sort -s -k 1,1nr | cut -d ' ' -f 2- > "$GENERATED/todo"
    xargs -r -P "$(nproc)" -n 3 sh compile.sh < "$GENERATED/todo" || fail "a kernel does not compile, see above"
}

# The names of all pieces of a type.
pieces() { awk -v type="$1" '{ print $1 "." type }' "$GENERATED/files"; }

image=$( (cat "$GENERATED/files" build.sh pack.sh *.awk; echo "$archs") | sha256sum | cut -c1-32).image
if [ ! -d "$CACHE/$image" ]; then
    echo "[fovea] compiling CUDA kernels for ${archs:-the simulator}"
    watch &
    progress=$!
    compile ptx
    [ -z "$archs" ] || compile $(printf '%s.cubin ' $archs)
    kill "$progress"
    progress=
    here=$PWD
    out=$GENERATED/image
    mkdir "$out"
    cd "$CACHE"
    keys=$(cut -d' ' -f1 "$GENERATED/files")
    # A third smaller takes forty times as long, 20 s for one architecture: for a release.
    COMPRESSION=balance
    [ "$archs" != "$RELEASED" ] || COMPRESSION=size
    export ARCHS="$archs" COMPRESSION
    echo "$keys" | xargs -P "$(nproc)" -n 1 sh "$here/pack.sh" || fail "fatbinary failed, see above"
    for key in $keys; do
        cat "$GENERATED/$key.lines.fatbin" >> "$out/lines.fatbin" || fail "could not write to $GENERATED"
    done
fi
if [ -n "$archs" ] && [ ! -d "$CACHE/$image" ]; then
    for a in $archs; do cat $(pieces "$a.cubin.log"); done > "$GENERATED/ptxas.log"
    awk -f "$here/resources.awk" "$GENERATED/ptxas.log" > "$out/report.txt" || fail "an attention kernel spills, see above"
    awk -f "$here/merge-ptx.awk" $(pieces ptx) > "$out/fovea.ptx" || fail "the PTX of the files does not fit together, see above"
    [ "$(grep -c '\.entry' "$out/fovea.ptx")" -eq "$(wc -l < "$out/report.txt")" ] \
        || fail "PTX and ptxas's report name different kernels; remove $CACHE and try again"
    for key in $keys; do
        cat "$GENERATED/$key.fatbin" >> "$out/fovea.fatbin" || fail "could not write to $GENERATED"
    done
    kib=$(($(wc -c < "$out/fovea.fatbin") / 1024))
    [ $kib -le $((FATBIN_LIMIT_MIB * 1024)) ] \
        || fail "fovea.fatbin would have $kib KiB, the limit is $FATBIN_LIMIT_MIB MiB: make fewer variants of the kernels"
    {
        echo "$archs, PTX $(sed -n 's/^\.version //p' "$out/fovea.ptx") for the rest (nvcc $release)"
        echo "driver $(least_driver_version) $(least_driver)"
        echo "sha256 $(sha256sum < "$out/fovea.fatbin" | cut -d' ' -f1)"
    } > "$out/kernels.txt"
    echo "[fovea] $(wc -l < "$out/report.txt") kernels in $(wc -l < "$GENERATED/files") files, fatbin of $kib KiB"
fi
if [ ! -d "$CACHE/$image" ]; then
    # Through a name of its own, so that a build that is killed here leaves no half of an image behind.
    arriving=$(mktemp -d "$CACHE/tmp.XXXXXX")
    cp "$out"/* "$arriving" || { rm -rf "$arriving"; fail "could not write to $CACHE"; }
    mv "$arriving" "$CACHE/$image" 2> /dev/null || rm -rf "$arriving"   # another build may have been faster
fi
cmp -s "$CACHE/$image/lines.fatbin" "$ptx_dir/lines.fatbin" || cp "$CACHE/$image/lines.fatbin" "$ptx_dir"
if [ -n "$archs" ]; then
    cp "$CACHE/$image/fovea.ptx" "$CACHE/$image/report.txt" "$ptx_dir"
    {
        echo "nvcc $release"
        for a in $archs; do pieces "$a.cubin" | sed "s|^|$a $CACHE/|"; done
    } > "$ptx_dir/cubins.txt"
    for file in fovea.fatbin fovea.ptx kernels.txt; do
        cmp -s "$CACHE/$image/$file" "$resources/$file" || cp "$CACHE/$image/$file" "$resources/$file"
    done
fi

# What no build has used for a month, and what killed ones left.
(cd "$CACHE/$image/.." && touch -c "$image" $(cut -d' ' -f1 "$GENERATED/files" | sed 's/.*/&.ptx &.lines.ptx/'))
find "$CACHE" -mindepth 1 -maxdepth 1 \( -mtime +30 -o -name 'tmp.*' -mmin +120 \) -exec rm -rf {} +
