# SPDX-License-Identifier: Apache-2.0
# Makes one PTX module of several, as nvcc writes them: the head of the first, then the statements of all. Statements that
# several files share (dynamic shared memory, tables of the math library) are kept once; two of one name that differ are an
# error.
#
# Usage: awk -f merge-ptx.awk A.ptx B.ptx ...

# Lines at the top level gather to a statement, which ends with ; or with the brace that closes a body.
FNR == 1 { if (statement != "") unfinished(); file = FILENAME }
/^\/\// || /^[ \t]*$/ && depth == 0 || /^[ \t]*\/\// && depth == 0 { next }
/^\.(version|target|address_size)/ { if (NR == FNR) print; next }
{
    statement = statement $0 "\n"
    line = $0
    sub(/\/\/.*/, "", line)
    depth += gsub(/\{/, "{", line) - gsub(/\}/, "}", line)
    if (depth == 0 && line ~ /[;}][ \t]*$/) {
        finish()
        statement = ""
    }
}
END { if (statement != "") unfinished(); exit failed }

function unfinished() {
    print "kernels/merge-ptx.awk: " file " ends inside: " statement > "/dev/stderr"
    exit failed = 1
}

function finish(    name) {
    name = statement
    sub(/\(\.param[^)]*\) /, "", name)   # what a function returns
    sub(/[\[(;={].*/, "", name)
    gsub(/^.*[ \t]|\n/, "", name)
    if (!(name in text)) {
        text[name] = statement
        print statement
    } else if (text[name] != statement) {
        print "kernels/merge-ptx.awk: " name " of " file " is another in an earlier file" > "/dev/stderr"
        failed = 1
    }
}
