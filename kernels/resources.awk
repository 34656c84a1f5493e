# Reads ptxas -v output; prints registers and static shared memory per kernel, the highest of all architectures. Fails if
# an attention kernel spills registers or has a stack frame (a register array that is indexed at run time).
/Compiling entry function/ { split($0, quoted, "'"); kernel = quoted[2]; arch = quoted[4] }
/Function properties for/ { kernel = $NF }
/bytes stack frame/ {
    if (kernel ~ /^attention/ && ($1 > 0 || $5 > 0 || $9 > 0)) {
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
