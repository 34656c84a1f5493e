# SPDX-License-Identifier: Apache-2.0
# Makes the source of a libcublas.so.12 whose every function jumps to that of the same name in libcublas.so.13, so that
# JCublas, which is made for CUDA 12, can be tried where there is only CUDA 13. For this check alone: the types of a function
# may change from one major version to the next, and nothing here would notice. It has the functions that Fovea calls, those
# of the stand-in.
#
#   awk -f forward-cublas.awk driver/cublas.cpp > forward.cpp
#   g++ -shared -fPIC -Wl,-soname,libcublas.so.12 -Wl,--version-script=driver/cublas.map -o libcublas.so.12 forward.cpp -ldl
#
# FOVEA_CUBLAS names the library to forward to, default libcublas.so.13. A function that it lacks says so and returns
# CUBLAS_STATUS_NOT_SUPPORTED.
BEGIN {
    print "#include <dlfcn.h>"
    print "#include <stdio.h>"
    print "#include <stdlib.h>"
    print ""
    print "static const char* const names[] = {"
}

/^API cublas/ {
    sub(/\(.*/, "", $2)
    printf "    \"%s\",\n", $2
    # A tail jump leaves arguments and stack as they are. r11 is free at the entry of a function; it says which one this is.
    jumps = jumps sprintf("    \".globl %s\\n.type %s, @function\\n%s: movl $%d, %%r11d; jmp *targets+%d(%%rip)\\n.size %s, .-%s\\n\"\n", \
        $2, $2, $2, count, 8 * count, $2, $2)
    count++
}

END {
    print "};"
    print ""
    print "__attribute__((visibility(\"hidden\"))) void* targets[" count "];"
    print "__attribute__((visibility(\"hidden\"))) extern char missing[];"
    print ""
    print "extern \"C\" __attribute__((used, visibility(\"hidden\"))) int complain(unsigned function) {"
    print "    fprintf(stderr, \"forwarding cuBLAS: there is no %s in CUDA 13's\\n\", names[function]);"
    print "    return 15;"
    print "}"
    print ""
    print "__asm__("
    print "    \".text\\n.hidden missing\\nmissing: movl %r11d, %edi; jmp complain\\n\""
    printf "%s", jumps
    print ");"
    print ""
    print "__attribute__((constructor)) static void look_up(void) {"
    print "    const char* wanted = getenv(\"FOVEA_CUBLAS\");"
    print "    void* library = dlopen(wanted != NULL ? wanted : \"libcublas.so.13\", RTLD_NOW | RTLD_LOCAL);"
    print "    if (library == NULL) {"
    print "        fprintf(stderr, \"forwarding cuBLAS: %s\\n\", dlerror());"
    print "    }"
    print "    for (unsigned i = 0; i < " count "; i++) {"
    print "        void* target = library != NULL ? dlsym(library, names[i]) : NULL;"
    print "        targets[i] = target != NULL ? target : missing;"
    print "    }"
    print "}"
}
