#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the bundle uses where it is there: fonts, to draw learning curves, and in NVIDIA's images the cuBLAS of their
# CUDA release. Makes the user that Fovea runs as, and two directories that any user may write to: with `docker run --user`
# there is no home directory.
set -eu
export DEBIAN_FRONTEND=noninteractive

packages="fontconfig fonts-dejavu-core libfreetype6 libharfbuzz0b liblcms2-2"
# CUDA_VERSION, such as 12.6.3, is set in NVIDIA's images, which also know the repository of this package.
if [ -n "${CUDA_VERSION:-}" ]; then
    packages="$packages libcublas-$(echo "$CUDA_VERSION" | cut -d. -f1,2 | tr . -)"
fi
apt-get update -qq
# Words of their own, each a package.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $packages
rm -rf /var/lib/apt/lists/*

if [ -n "${CUDA_VERSION:-}" ]; then
    ldconfig
    ldconfig -p | grep -q 'libcublas\.so\.12 ' || { echo "libcublas.so.12 is not there: CUDA_VERSION is $CUDA_VERSION, 12.x is needed" >&2; exit 1; }
fi

id fovea > /dev/null 2>&1 || useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin fovea
install -d -m 1777 /fovea /var/cache/fovea
