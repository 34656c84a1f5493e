# SPDX-License-Identifier: Apache-2.0
# Reads ptxas -v output; prints registers and static shared memory per kernel, the highest of all architectures. Fails if
# an attention kernel spills registers or has a stack frame (a register array that is indexed at run time), but for those
# below, of which some architecture's ptxas leaves a few bytes over: the most of frame, spill stores and spill loads.
BEGIN {
    allowed["attention_tangent_whole_f32_d64_m32"] = "24 20 32"
    allowed["attention_tangent_columns_f32_d128_r32_m16"] = "16 20 40"
    allowed["attention_tangent_rows_f32_d128_r32_m16"] = "32 36 36"
    allowed["attention_backward_columns_f32_d128_r64_m16"] = "8 16 8"
    allowed["attention_backward_columns_f32_d256_r32_m16"] = "24 28 32"
    allowed["attention_forward_f32_d256_r64_m16"] = "8 8 32"
}
/Compiling entry function/ { split($0, quoted, "'"); kernel = quoted[2]; arch = quoted[4] }
/Function properties for/ { kernel = $NF }
/bytes stack frame/ {
    split(kernel in allowed ? allowed[kernel] : "0 0 0", most, " ")
    if (kernel ~ /^attention/ && ($1 > most[1] + 0 || $5 > most[2] + 0 || $9 > most[3] + 0)) {
        print "kernels/resources.awk: " kernel " on " arch ":" $0 > "/dev/stderr"
        failed = 1
    }
}
/Used [0-9]+ registers/ {
    for (i = 1; i <= NF; i++) {
        if ($i == "Used" && $(i + 1) > registers[kernel]) registers[kernel] = $(i + 1)
        if ($i ~ /^smem/ && $(i - 2) > shared[kernel]) shared[kernel] = $(i - 2)
    }
}
END {
    for (k in registers) printf "[fovea] %-36s %3d registers %6d bytes of static shared memory\n", k, registers[k], shared[k] | "sort"
    close("sort")
    exit failed
}
