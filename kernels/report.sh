#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reads the machine code of the kernels that were compiled last: registers, spills, shared memory, what fits on a multiprocessor, the
# instructions of the loops over tiles, and the bound that follows. Needs python3, and CUDA's disassembler or that in the Python
# package triton.
#
#   kernels/report.sh            writes docs/kernels.md
#   kernels/report.sh --check    whether what report/pins.txt pins has got no worse
exec python3 -B "$(dirname "$0")/report/report.py" "$@"
