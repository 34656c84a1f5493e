# SPDX-License-Identifier: Apache-2.0
# Reads ptxas -v output; prints registers and static shared memory per kernel, the highest of all architectures. Fails if
# an attention kernel spills registers or has a stack frame (a register array that is indexed at run time), but for those
# below, of which some architecture's ptxas leaves a few bytes over.
BEGIN {
    frame["attention_tangent_whole_f32_d64_m32"] = 48
    frame["attention_tangent_whole_f32_d32_m32"] = 8
    frame["attention_tangent_columns_f32_d128_r32_m16"] = 8
    frame["attention_backward_columns_f32_d128_r64_m16"] = 8
    frame["attention_backward_columns_f32_d256_r32_m16"] = 8
    frame["attention_tangent_columns_f32_d256_r16_m16"] = 8
}
/Compiling entry function/ { split($0, quoted, "'"); kernel = quoted[2]; arch = quoted[4] }
/Function properties for/ { kernel = $NF }
/bytes stack frame/ {
    if (kernel ~ /^attention/ && ($1 > frame[kernel] || !frame[kernel] && ($5 > 0 || $9 > 0))) {
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
