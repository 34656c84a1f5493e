// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What can't be served is said in a line that names what can. */
class DashboardCommandTest {
    @TempDir
    Path directory;

    @Test
    void aPortInUseNamesTheNextThatIsFree() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Cli result = Cli.run("dashboard", directory.toString(), "--port", "" + taken.getLocalPort());
            assertThat(result.exitCode()).isEqualTo(2);
            assertThat(result.err())
                    .contains("port " + taken.getLocalPort() + " is in use; port ", " is free: --port ");
        }
    }

    @Test
    void whatIsNoDirectoryIsRefused() {
        Cli result = Cli.run("dashboard", directory.resolve("none").toString());
        assertThat(result.exitCode()).isEqualTo(2);
        assertThat(result.err()).contains("there is no directory").contains("fovea train");
        assertThat(Cli.run("dashboard", directory.toString(), "--port", "70000").err())
                .contains("--port must be from 0 to 65535");
    }
}
