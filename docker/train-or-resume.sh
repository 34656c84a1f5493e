#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains a run, or goes on with it where it has a checkpoint already, as after a restart of its container:
#
#   train-or-resume RUN_DIRECTORY OPTION_OF_FOVEA_TRAIN...
set -eu
run=$1
shift

for checkpoint in "$run"/checkpoint-*; do
    [ ! -e "$checkpoint" ] || exec fovea train --out "$run" --resume "$@"
done
exec fovea train --out "$run" --overwrite "$@"
