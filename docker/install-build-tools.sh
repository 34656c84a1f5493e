#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what builds the bundle, on Debian 12 or Ubuntu 22.04 and newer; nvcc, where kernels are wanted, is already there.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get update -qq
apt-get install -y -qq --no-install-recommends g++ maven openjdk-17-jdk-headless xz-utils
rm -rf /var/lib/apt/lists/*
