#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packs what compile.sh made of one .cu into a fatbin, for build.sh, which sets TOOLS, CACHE, GENERATED, ARCHS and COMPRESSION:
#
#   pack.sh KEY      (into GENERATED/KEY.fatbin, and the PTX with the source's lines into GENERATED/KEY.lines.fatbin)
set -eu
cd "$CACHE"
# Drivers that take this compiler's machine code know its compression too; compilers before 12.4 have but one.
mode=$("$TOOLS/fatbinary" --help | sed -n 's/^--compress-mode.*/--compress-mode='"$COMPRESSION"'/p')

pack() {  # FATBIN OPTIONS IMAGE...
    one=$GENERATED/$1
    shift
    "$TOOLS/fatbinary" -64 --create="$one" "$@"
    [ "$(wc -c < "$one")" -eq $(($(od -An -tu8 -j8 -N8 "$one") + 16)) ] \
        || { echo "[fovea] fatbinary wrote half a file: the disk of $GENERATED is full" >&2; exit 1; }
}

pack "$1.lines.fatbin" "--image3=kind=ptx,sm=80,file=$1.lines.ptx"
[ -z "$ARCHS" ] || pack "$1.fatbin" --compress-all $mode "--image3=kind=ptx,sm=80,file=$1.ptx" \
    $(for arch in $ARCHS; do echo "--image3=kind=elf,sm=${arch#sm_},file=$1.$arch.cubin"; done)
