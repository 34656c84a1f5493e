#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints for which architectures to compile so that this machine's NVIDIA GPUs have machine code, a name a line: for each GPU
# the released architecture whose code it runs (build.sh), else its own. Where no GPU can be compiled for, status 1, and in
# place of names a line that says why.
set -eu

architecture() {  # COMPUTE_CAPABILITY
    case $1 in
        8.*) echo sm_80 ;;
        9.0) echo sm_90a ;;
        10.*) echo sm_100 ;;
        12.*) echo sm_120 ;;
        *) echo "sm_$(echo "$1" | tr -d .)" ;;
    esac
}

if found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null); then
    capabilities=$(echo "$found" | grep '^[0-9]*\.[0-9]*$' || true)
elif [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; then
    # A container may have a GPU and no nvidia-smi. Whatever it is, the driver can translate PTX.
    capabilities=8.0
else
    capabilities=
fi
[ -n "$capabilities" ] || { echo "there was no NVIDIA GPU when it was built"; exit 1; }

names=
for capability in $capabilities; do
    case $capability in
        [1-7].*) old=$capability ;;
        *) names="$names $(architecture "$capability")" ;;
    esac
done
[ -n "$names" ] || { echo "the GPU of this machine is of compute capability $old, the kernels need 8.0"; exit 1; }
# Names are words.
# shellcheck disable=SC2086
printf '%s\n' $names | sort -u
