// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.fovea.collective.Network.Host;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkTest {
    /** 1 ms for a message, 1 ms for 250 numbers. */
    private static final Network SLOW = new Network("slow", 1e-3, 1e6, Host.NONE);

    private static final double EXACT = 1e-12;

    /** Counted message by message: what each rank sends in each turn. */
    private static double messageByMessage(int floats, int ranks) {
        double seconds = 0;
        if (floats < SocketRanks.LONG || ranks == 2) {
            for (int known = 1; known < ranks; known *= 2) {
                seconds += 1e-3 + floats * 4e-6;
            }
            return seconds;
        }
        for (int way = 0; way < 2; way++) {
            double part = floats;
            for (int parts = 1; parts < ranks; parts *= 2) {
                part /= 2;
                seconds += 1e-3 + part * 4e-6;
            }
        }
        return seconds;
    }

    @ParameterizedTest
    @CsvSource({
        "250, 1",
        "250, 2",
        "250, 4",
        "250, 64",
        "32767, 8",
        "32768, 2",
        "32768, 4",
        "1048576, 4",
        "1048576, 256"
    })
    void aSumIsItsMessages(int floats, int ranks) {
        assertThat(SLOW.sumSeconds(floats, ranks)).isCloseTo(messageByMessage(floats, ranks), within(EXACT * floats));
    }

    @Test
    void theHostAddsToBoth() {
        Network both = new Network("both", 1e-3, 1e6, new Host(2e-3, 0.5e6));
        assertThat(both.sumSeconds(250, 2)).isCloseTo(3e-3 + 1e-3 + 2e-3, within(EXACT));
        assertThat(Network.loopback(new Host(2e-3, 0.5e6)).sumSeconds(250, 2)).isCloseTo(4e-3, within(EXACT));
    }

    @Test
    void theMostRanksAreTheLastThatKeepTheShare() {
        // 2, 4 and 6 ms for 2, 4 and 8 ranks: of 54 ms each, 54 / (54 + 6) is 90 %.
        assertThat(SLOW.mostRanks(250, 54.001e-3, 0.9, false, 1024)).isEqualTo(8);
        assertThat(SLOW.mostRanks(250, 53.9e-3, 0.9, false, 1024)).isEqualTo(4);
        assertThat(SLOW.mostRanks(250, 54.001e-3, 0.9, false, 4)).isEqualTo(4);
        // Together: 72 / 2 ms and 2, 72 / 4 and 4.
        assertThat(SLOW.mostRanks(250, 72e-3, 0.9, true, 1024)).isEqualTo(2);
        assertThat(SLOW.mostRanks(250, 1e-3, 0.9, true, 1024)).isEqualTo(1);
    }
}
