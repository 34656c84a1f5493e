// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** That the machine code of the kernels that matter most has not got longer: {@code kernels/report.sh --check}. */
@Tag("integration")
class KernelReportTest {

    @Test
    void pinnedCountsHold() throws Exception {
        assumeTrue(Files.exists(Path.of("target", "kernels", "cubins.txt")), "no kernels were compiled");
        Process process = new ProcessBuilder(
                        "sh",
                        "-c",
                        "command -v python3 > /dev/null || { echo skipped: no python3; exit; }; "
                                + "exec kernels/report.sh --check")
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        assumeFalse(output.startsWith("skipped"), output);
        assertThat(status).as(output).isZero();
    }
}
