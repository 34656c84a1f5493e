# SPDX-License-Identifier: Apache-2.0
# The kernels' parameters, one by-value struct each, are declared once, in kernels/*/params.h. This reads such files and
# writes, for kernels/nn/params.h, DIR/nn_layout.h (static_asserts that hold every compiler to the same offsets), and one
# Java writer per struct under JAVA_DIR.
#
# Usage: awk -v DIR=... -v JAVA_DIR=... -f params.awk kernels/*/params.h      (either directory may be left out)
#
# A struct has one field a line, of type T*, const T*, int64_t, int32_t, double or float, or an array of those of literal
# length.

function fail(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }

function camel(name,    parts, count, i, out) {
    count = split(name, parts, "_")
    out = parts[1]
    for (i = 2; i <= count; i++) out = out toupper(substr(parts[i], 1, 1)) substr(parts[i], 2)
    return out
}

BEGIN {
    bytes["int64_t"] = 8; java["int64_t"] = "long"; put["int64_t"] = "putLong"
    bytes["double"] = 8; java["double"] = "double"; put["double"] = "putDouble"
    bytes["int32_t"] = 4; java["int32_t"] = "int"; put["int32_t"] = "putInt"
    bytes["float"] = 4; java["float"] = "float"; put["float"] = "putFloat"
}

FNR == 1 && DIR {
    split_at = split(FILENAME, path, "/")
    layout = DIR "/" path[split_at - 1] "_layout.h"
    print "// Generated from params.h by params.awk.\n#include <cstddef>" > layout
}

{ sub(/\/\/.*/, ""); gsub(/^[ \t]+|[ \t]+$/, "") }
/^$/ || /^#/ { next }

/^struct [A-Za-z]+ \{$/ {
    struct = $2; size = 0; align = 1; fields = 0; setters = names = ""
    next
}

/^\};$/ {
    size = int((size + align - 1) / align) * align
    if (DIR) print "static_assert(sizeof(" struct ") == " size ");" > layout
    if (JAVA_DIR) {
        file = JAVA_DIR "/" struct ".java"
        print "package org.fovea.backend.cuda.params;\n\nimport java.nio.ByteBuffer;\n" > file
        print "/** Writes the kernel parameter struct {@code " struct "}; generated from the kernels' params.h. */" > file
        print "public final class " struct " extends KernelParams {" > file
        print "    public " struct "(ByteBuffer buffer) {\n        super(buffer, " size names ");\n    }" > file
        print setters "}" > file
        close(file)
    }
    next
}

/;$/ {
    sub(/;$/, ""); sub(/^const /, "")
    type = $1; name = $2; length_ = 1
    if (name ~ /\[/) { length_ = name; gsub(/.*\[|\].*/, "", length_); sub(/\[.*/, "", name) }
    if (type ~ /\*$/) type = "int64_t"
    if (!(type in bytes)) fail("no such field type: " type)
    if (++fields > 64) fail(struct " has more than 64 fields")
    size = int((size + bytes[type] - 1) / bytes[type]) * bytes[type]
    if (bytes[type] > align) align = bytes[type]
    if (DIR) print "static_assert(offsetof(" struct ", " name ") == " size ");" > layout
    names = names ", \"" name "\""
    element = length_ > 1 ? java[type] "..." : java[type]
    setters = setters "\n    public " struct " " camel(name) "(" element " value) {\n"
    if (length_ > 1)
        setters = setters "        for (int i = 0; i < " length_ "; i++) {\n            buffer." put[type] "(" size " + i * " \
            bytes[type] ", value[i]);\n        }\n"
    else
        setters = setters "        buffer." put[type] "(" size ", value);\n"
    setters = setters "        written |= 1L << " (fields - 1) ";\n        return this;\n    }\n"
    size += length_ * bytes[type]
    next
}

{ fail("cannot read: " $0) }
