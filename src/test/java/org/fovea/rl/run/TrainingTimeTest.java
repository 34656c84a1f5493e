// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Seconds of training from the tables of a run. */
class TrainingTimeTest {
    private static final String HEADER = "iteration,steps,date,environment,inference,update,idle\n";

    @TempDir
    Path run;

    @Test
    void phasesAreAddedUp() throws IOException {
        // Between the second row and the third the run lay for a day; the last line is being written.
        Files.writeString(
                run.resolve("times.csv"),
                HEADER + "1,100,1000,0.5,0.25,1,0\n2,200,1002,0.5,0.25,1,0.25\n3,300,87402,0.5,0.5,1,0\n4,400,87");
        TrainingTime time = TrainingTime.read(run);
        assertThat(time.at(99)).isNaN();
        assertThat(time.at(100)).isEqualTo(1.75);
        assertThat(time.at(250)).isEqualTo(3.75);
        assertThat(time.at(1e9)).isEqualTo(5.75);
    }

    @Test
    void withoutPhasesTheRateTells() throws IOException {
        assertThat(TrainingTime.read(run).at(100)).isNaN();
        Files.writeString(run.resolve("progress.csv"), "iteration,steps,steps_per_second\n1,100,50\n2,200,40\n");
        assertThat(TrainingTime.read(run).at(200)).isEqualTo(5);
    }

    @Test
    void nonsenseIsRefused() throws IOException {
        Files.writeString(run.resolve("times.csv"), HEADER + "1,many,1000,0.5,0.25,1,0\n");
        assertThatThrownBy(() -> TrainingTime.read(run))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("times.csv is not the table of a run");
    }
}
