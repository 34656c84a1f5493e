// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The PTX that is shipped for cards without machine code of their own, through the assembler that is built into JCuda:
 * that of CUDA 12.0, as old as the oldest driver that Fovea supports, where the build's own would take newer PTX too.
 */
@Tag("integration")
class KernelPtxTest {
    private static final Path PTX = Path.of("target", "kernels", "fovea.ptx");

    private static final boolean DEEP = System.getenv("FOVEA_DEEP") != null;

    /** A kernel: its family, then what an instance is for, then its code. */
    private static final Pattern KERNEL = Pattern.compile("(?ms)^\\.visible \\.entry (\\w+?)(?:_d\\d+_\\w+)?\\(.*?^}$");

    @TempDir
    static Path natives;

    /** JCuda unpacks its library into the temporary directory of the moment, and would trust an old half of one there. */
    @BeforeAll
    static void loadAssembler() {
        assumeTrue(Files.exists(PTX), () -> "no PTX: " + KernelImage.description());
        String before = System.getProperty("java.io.tmpdir");
        System.setProperty("java.io.tmpdir", natives.toString());
        try {
            JNvPTXCompiler.setExceptionsEnabled(false);
        } finally {
            System.setProperty("java.io.tmpdir", before);
        }
    }

    /** All PTX is for compute capability 8.0, so one stands for the others. */
    static List<String> architectures() {
        return DEEP ? List.of("sm_80", "sm_90") : List.of("sm_80");
    }

    @ParameterizedTest
    @MethodSource("architectures")
    void theAssemblerOfCuda12TakesIt(String architecture) throws IOException {
        String ptx = sample();
        String cubin = new String(assemble(ptx, architecture), StandardCharsets.ISO_8859_1);
        assertThat(kernels(ptx))
                .isNotEmpty()
                .allSatisfy(kernel -> assertThat(cubin).contains(".text." + kernel + "\0"));
    }

    @Test
    void theAssemblerNoticesWhatItDoesNotKnow() throws IOException {
        String newer = sample().replaceFirst("\\.version \\S+", ".version 9.0");
        assertThat(result(newer, "sm_80")).isEqualTo(nvPTXCompileResult.NVPTXCOMPILE_ERROR_UNSUPPORTED_PTX_VERSION);
    }

    private static String sample() throws IOException {
        String ptx = Files.readString(PTX);
        return DEEP ? ptx : shortestOfEachFamily(ptx);
    }

    /** Instances of a kernel for different head dims use the same instructions, and to assemble them all takes minutes. */
    private static String shortestOfEachFamily(String ptx) {
        Map<String, String> shortest = new HashMap<>();
        KERNEL.matcher(ptx)
                .results()
                .forEach(kernel ->
                        shortest.merge(kernel.group(1), kernel.group(), (a, b) -> a.length() <= b.length() ? a : b));
        return KERNEL.matcher(ptx)
                .replaceAll(kernel -> kernel.group().equals(shortest.get(kernel.group(1)))
                        ? Matcher.quoteReplacement(kernel.group())
                        : "");
    }

    private static List<String> kernels(String ptx) {
        List<String> names = new ArrayList<>();
        Matcher entries = Pattern.compile("\\.entry (\\w+)").matcher(ptx);
        while (entries.find()) {
            names.add(entries.group(1));
        }
        return names;
    }

    private static byte[] assemble(String ptx, String architecture) {
        nvPTXCompilerHandle compiler = create(ptx);
        try {
            int result = compile(compiler, architecture);
            assertThat(result).as(() -> errors(compiler)).isZero();
            long[] size = new long[1];
            assertThat(JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize(compiler, size))
                    .isZero();
            byte[] program = new byte[Math.toIntExact(size[0])];
            assertThat(JNvPTXCompiler.nvPTXCompilerGetCompiledProgram(compiler, program))
                    .isZero();
            return program;
        } finally {
            JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
        }
    }

    private static int result(String ptx, String architecture) {
        nvPTXCompilerHandle compiler = create(ptx);
        try {
            return compile(compiler, architecture);
        } finally {
            JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
        }
    }

    private static nvPTXCompilerHandle create(String ptx) {
        byte[] text = (ptx + "\0").getBytes(StandardCharsets.US_ASCII);
        nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
        assertThat(JNvPTXCompiler.nvPTXCompilerCreate(compiler, text.length, text))
                .isZero();
        return compiler;
    }

    /** Unoptimised, which takes a third of the time and asks the same of the PTX. */
    private static int compile(nvPTXCompilerHandle compiler, String architecture) {
        String[] options = {"--gpu-name=" + architecture, "--opt-level=0"};
        return JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
    }

    private static String errors(nvPTXCompilerHandle compiler) {
        long[] size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size);
        byte[] log = new byte[Math.toIntExact(size[0])];
        JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, log);
        return new String(log, StandardCharsets.US_ASCII);
    }
}
