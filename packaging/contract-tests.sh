#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds a backend to its whole contract on this machine: some three hundred tests against a naive float64 reference.
#
#   ./contract-tests.sh [cpu|cuda] [OPTION OF JUNIT'S CONSOLE ...]
#
# Part of a bundle made by 'fovea bundle --with-tests'. The default is cpu; cuda needs a card. Status: 0 all passed, 1 not.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
backend=cpu
if [[ $# -gt 0 && $1 != -* ]]; then
    backend=$1
    shift
fi
case $backend in
    cpu) class=org.fovea.backend.cpu.CpuContractTest ;;
    cuda) class=org.fovea.backend.cuda.CudaContractTest ;;
    *)
        echo "contract-tests.sh: there are the backends cpu and cuda, not '$backend'" >&2
        exit 2
        ;;
esac
FOVEA_CLASSPATH=$here/tests/* FOVEA_JAVA_OPTS="${FOVEA_JAVA_OPTS:-} -Dfovea.test.gpu=true -Dfovea.poison=true" \
    exec "$here/fovea" --main org.junit.platform.console.ConsoleLauncher execute --select-class "$class" \
    --details=summary --disable-banner "$@"
