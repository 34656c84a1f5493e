#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles one .cu for build.sh, which sets NVCC, TOOLS, CACHE, GENERATED and STRICT, into CACHE/KEY.TYPE.
#
#   compile.sh KEY TYPE SOURCE
#
# TYPE ptx is the front end's work, and a second file of it, KEY.lines.ptx, says which line of the source each instruction is
# of. Without those lines the two are the same, so that machine code is. TYPE sm_XX.cubin assembles KEY.ptx; what ptxas says of registers, stack and spills goes
# into KEY.sm_XX.cubin.log. A file in the cache is whole: it is made under another name and moved.
set -eu
key=$1
type=$2
source=$3

# The PTX that is shipped for cards without machine code of their own should load on old drivers, and nvcc writes its own
# newest ISA version whatever the code uses. 7.0 is the first with sm_80; if code needs more, ptxas says so here.
PTX_VERSION=7.0

temporary=$(mktemp "$CACHE/tmp.XXXXXX")
trap 'rm -f "$temporary" "$temporary".*' EXIT
trap 'exit 130' HUP INT TERM

run() {
    "$@" > "$temporary.log" 2>&1 || { echo "[fovea] $source, $type:" >&2; cat "$temporary.log" >&2; exit 1; }
}

# Environments have the bits of Java's arithmetic, which fuses no products.
case $source in
    env/* | own/*) exact=-fmad=false ;;
    *) exact= ;;
esac

# On a full disk NVIDIA's tools write half a file and call it a success. A copy, with the original still there, fails then.
if [ "$type" = ptx ]; then
    run "$NVCC" -std=c++17 -O3 $exact -lineinfo ${STRICT:+-Werror all-warnings} -I "$GENERATED" -I env -arch=compute_80 --ptx \
        -o "$temporary.out" "$source"
    # used_bytes_mask is a hint for tools, of ISA version 8.3.
    sed -e "s/^\.version .*/.version $PTX_VERSION/" -e '/\.pragma "used_bytes_mask/d' -e "s|\"$PWD/|\"kernels/|" \
        "$temporary.out" > "$temporary.lines"
    sed -e '/^[[:space:]]*\.\(loc\|file\)[[:space:]]/d' -e '/^[[:space:]]*\.section/,/^[[:space:]]*}/d' "$temporary.lines" > "$temporary"
    chmod a+r "$temporary.lines"
    mv "$temporary.lines" "$CACHE/$key.lines.ptx"
else
    # A program of its own: code that links (-c, or -ewp) is allocated registers worse, until attention spills.
    run "$TOOLS/ptxas" -O3 -v ${STRICT:+-Werror} -arch="${type%.cubin}" -o "$temporary.out" "$CACHE/$key.ptx"
    ! readelf -S "$temporary.out" 2>&1 | grep -q 'past end of file' || { echo "[fovea] the disk is full" >&2; exit 1; }
    cp "$temporary.out" "$temporary"
    mv "$temporary.log" "$CACHE/$key.$type.log"
fi
chmod a+r "$temporary"
mv "$temporary" "$CACHE/$key.$type"
