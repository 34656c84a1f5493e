#!/bin/sh
# Builds the bundle from the source tree that this script is in, and unpacks it:
#
#   docker/build-bundle.sh DIRECTORY
set -eu
cd "$(dirname "$0")/.."

./fovea bundle
mkdir -p "$1"
tar -xJf target/fovea-linux-x86_64.tar.xz -C "$1" --strip-components=1
