#!/bin/sh
# Writes the Java side of the kernels' parameters and compiles the kernels to fatbins: machine code for the architectures
# below and PTX for the rest. Without nvcc (12 or newer) or g++ the build goes on and the jar is CPU-only.
#
#   kernels/build.sh JAVA_DIR RESOURCE_DIR [ARCH]
#
# JAVA_DIR      root of the generated Java sources; also gets fovea.ptx, for the tests
# RESOURCE_DIR  gets fovea.fatbin, the fatbins of all files one behind the other, and kernels.txt that says for what it was
#               built, with the driver it needs and its checksum, or why it was not; and fovea.ptx for drivers that are too
#               old for the machine code
# ARCH          one architecture such as sm_90a, for a quick build during development; default all
#
# Each .cu goes through the compiler's front end once, to PTX, and from there to machine code per architecture (compile.sh).
# A piece is kept in ${XDG_CACHE_HOME:-~/.cache}/fovea/kernels under a hash of all that goes into it, so an edit recompiles
# one file. Pieces arrive by an atomic move: builds may run at once, or be killed.
set -eu
FATBIN_LIMIT_MIB=20

mkdir -p "$1/org/fovea/backend/cuda" "$2"
sources=$(cd "$1" && pwd)
resources=$(cd "$2" && pwd)
java_dir=$sources/org/fovea/backend/cuda
arch=${3:-all}

GENERATED=$(mktemp -d)
trap 'rm -rf "$GENERATED"' EXIT
trap 'exit 130' HUP INT TERM

# A copy, so that what is hashed is what is compiled, though somebody may be editing.
cp -R "$(dirname "$0")" "$GENERATED/kernels"
cd "$GENERATED/kernels"

# Files are replaced only if they changed, so that javac is not woken for nothing.
mkdir "$GENERATED/java"
awk -v DIR="$GENERATED" -v JAVA_DIR="$GENERATED/java" -f common/params.awk */params.h
for file in "$GENERATED"/java/*.java; do
    cmp -s "$file" "$java_dir/${file##*/}" || cp "$file" "$java_dir/"
done

cpu_only() {
    rm -f "$resources/fovea.fatbin" "$resources/fovea.ptx" "$sources/fovea.ptx"
    echo "$1" > "$resources/kernels.txt"
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

# The oldest driver of the compiler's CUDA release, which takes its machine code (NVIDIA: CUDA Compatibility, table 1).
least_driver() {
    case $release in
        12.*) echo 525 ;;
        13.*) echo 580 ;;
        *) echo "of CUDA ${release%%.*}" ;;
    esac
}

NVCC=$(find_nvcc)
[ -n "$NVCC" ] || cpu_only "nvcc was not found (looked at \$NVCC, \$CUDA_HOME/bin, PATH, /usr/local/cuda/bin)"
command -v g++ > /dev/null || cpu_only "nvcc needs g++, which was not found on the PATH"
version=$("$NVCC" --version)
release=$(echo "$version" | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p')
[ "${release%%.*}" -ge 12 ] 2> /dev/null || cpu_only "$NVCC is version ${release:-unknown}; 12 or newer is needed"
# Other compilers warn about other things than the one this code is tested with.
STRICT=
[ "$release" != 13.0 ] || STRICT=1
# Where ptxas and fatbinary are; the nvcc on the PATH may be a wrapper that lies elsewhere.
TOOLS=$("$NVCC" --dryrun --ptx kernel.cu 2>&1 | sed -n 's/^#\$ _HERE_=//p')

# sm_80 A100, 86 and 89 consumer and workstation cards, 90a H100; of the newer majors the first of each, whose code its
# later members run too.
if [ "$arch" = all ]; then
    arch="sm_80 sm_86 sm_89 sm_90a $("$NVCC" --list-gpu-code | sed -n 's/^sm_\([1-9][0-9]\{2,\}\)$/\1/p' | sort -n \
        | awk '!seen[int($1 / 10)]++ { print "sm_" $1 }')"
fi
archs=$(echo $arch)

if grep -n __CUDA_ARCH__ */*.cu */*.cuh >&2; then
    fail "__CUDA_ARCH__ would always be 800: the machine code of every architecture is made from the same PTX"
fi

CACHE=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/fovea/kernels
if ! mkdir -p "$CACHE" 2> /dev/null || ! [ -w "$CACHE" ]; then
    echo "[fovea] $CACHE can't be written to; compiled kernels are kept in ${sources%/*}/kernel-cache"
    CACHE=${sources%/*}/kernel-cache
    mkdir -p "$CACHE"
fi
export NVCC TOOLS CACHE GENERATED STRICT

# Lines "KEY SOURCE", the largest file first, so that no big one is left to run alone at the end. A key covers the file, the
# headers that it includes, the flags, which are in compile.sh, and the compiler.
for source in $(ls -S */*.cu); do
    headers=$(g++ -std=c++17 -x c++ -D__CUDACC__ -MM -MG -I "$GENERATED" "$source" | sed 's/^[^:]*://; s/\\$//')
    key=$({ echo "$version $source"; cat compile.sh; for file in $headers; do [ ! -f "$file" ] || cat "$file"; done; } \
        | sha256sum | cut -c1-32)
    echo "$key $source"
done > "$GENERATED/files"

# Compiles every file to the types given (ptx, sm_80.cubin) as far as the cache lacks them.
compile() {
    for type; do
        while read -r key source; do
            [ -f "$CACHE/$key.$type" ] || echo "$key $type $source"
        done < "$GENERATED/files"
    done > "$GENERATED/todo"
    xargs -r -P "$(nproc)" -n 3 sh compile.sh < "$GENERATED/todo" || fail "a kernel does not compile, see above"
}

# The names of all pieces of a type.
pieces() { awk -v type="$1" '{ print $1 "." type }' "$GENERATED/files"; }

image=$( (cat "$GENERATED/files" build.sh *.awk; echo "$archs") | sha256sum | cut -c1-32).image
if [ ! -d "$CACHE/$image" ]; then
    echo "[fovea] compiling CUDA kernels for $archs"
    compile ptx
    compile $(printf '%s.cubin ' $archs)
    here=$PWD
    out=$GENERATED/image
    mkdir "$out"
    cd "$CACHE"
    for a in $archs; do cat $(pieces "$a.cubin.log"); done > "$GENERATED/ptxas.log"
    awk -f "$here/resources.awk" "$GENERATED/ptxas.log" > "$out/report.txt" || fail "an attention kernel spills, see above"
    awk -f "$here/merge-ptx.awk" $(pieces ptx) > "$out/fovea.ptx" || fail "the PTX of the files does not fit together, see above"
    [ "$(grep -c '\.entry' "$out/fovea.ptx")" -eq "$(wc -l < "$out/report.txt")" ] \
        || fail "PTX and ptxas's report name different kernels; remove $CACHE and try again"
    # Drivers that take this compiler's machine code know its compression too; compilers before 12.4 have but one.
    mode=$("$TOOLS/fatbinary" --help | sed -n 's/^--compress-mode.*/--compress-mode=size/p')
    for key in $(cut -d' ' -f1 "$GENERATED/files"); do
        images=--image3=kind=ptx,sm=80,file=$key.ptx
        for a in $archs; do images="$images --image3=kind=elf,sm=${a#sm_},file=$key.$a.cubin"; done
        one=$GENERATED/$key.fatbin
        "$TOOLS/fatbinary" -64 --compress-all $mode --create="$one" $images || fail "fatbinary failed"
        [ "$(wc -c < "$one")" -eq $(($(od -An -tu8 -j8 -N8 "$one") + 16)) ] \
            || fail "fatbinary wrote half a file: the disk of $GENERATED is full"
        cat "$one" >> "$out/fovea.fatbin" || fail "could not write to $GENERATED"
    done
    kib=$(($(wc -c < "$out/fovea.fatbin") / 1024))
    [ $kib -le $((FATBIN_LIMIT_MIB * 1024)) ] \
        || fail "fovea.fatbin would have $kib KiB, the limit is $FATBIN_LIMIT_MIB MiB: make fewer variants of the kernels"
    {
        echo "$archs, PTX $(sed -n 's/^\.version //p' "$out/fovea.ptx") for the rest (nvcc $release)"
        echo "driver ${release%%.*}000 $(least_driver)"
        echo "sha256 $(sha256sum < "$out/fovea.fatbin" | cut -d' ' -f1)"
    } > "$out/kernels.txt"
    cat "$out/report.txt"
    echo "[fovea] $(wc -l < "$out/report.txt") kernels in $(wc -l < "$GENERATED/files") files, fatbin of $kib KiB"
    # Through a name of its own, so that a build that is killed here leaves no half of an image behind.
    arriving=$(mktemp -d "$CACHE/tmp.XXXXXX")
    cp "$out"/* "$arriving" || { rm -rf "$arriving"; fail "could not write to $CACHE"; }
    mv "$arriving" "$CACHE/$image" 2> /dev/null || rm -rf "$arriving"   # another build may have been faster
fi
for file in fovea.fatbin fovea.ptx kernels.txt; do
    cmp -s "$CACHE/$image/$file" "$resources/$file" || cp "$CACHE/$image/$file" "$resources/$file"
done
cp "$CACHE/$image/fovea.ptx" "$sources/fovea.ptx"  # what the tests read

# What no build has used for a month, and what killed ones left.
(cd "$CACHE/$image/.." && touch -c "$image" $(cut -d' ' -f1 "$GENERATED/files" | sed 's/$/.ptx/'))
find "$CACHE" -mindepth 1 -maxdepth 1 \( -mtime +30 -o -name 'tmp.*' -mmin +120 \) -exec rm -rf {} +
