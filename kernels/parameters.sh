#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the Java side of the kernels' parameters, a class for each struct in kernels/*/params.h:
#
#   kernels/parameters.sh JAVA_DIR      (the root of the generated sources)
set -eu
mkdir -p "$1/org/fovea/backend/cuda/params"
target=$(cd "$1/org/fovea/backend/cuda/params" && pwd)
cd "$(dirname "$0")"

generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
trap 'exit 130' HUP INT TERM
awk -v JAVA_DIR="$generated" -f common/params.awk */params.h

# Files are replaced only if they changed, so that javac is not woken for nothing.
for file in "$generated"/*.java; do
    cmp -s "$file" "$target/${file##*/}" || cp "$file" "$target/"
done
for file in "$target"/*.java; do
    [ -f "$generated/${file##*/}" ] || rm "$file"
done
