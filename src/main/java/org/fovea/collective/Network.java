// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.util.List;

/**
 * A network between ranks by two numbers, and what a sum over ranks takes on it: each message takes its latency, and its bytes the bandwidth, in both
 * directions at once (Thakur et al. 2005, doi:10.1177/1094342005051521).
 *
 * @param latency seconds from the one program to the other, without {@code host}
 * @param bandwidth bytes a second
 * @param host what a message takes of the machines at its ends, as measured between two of them over loopback; {@link Host#NONE} for a library that
 *     moves device memory itself
 */
public record Network(String name, double latency, double bandwidth, Host host) {
    /**
     * What machines add to a message.
     *
     * @param latency seconds
     * @param bandwidth bytes a second of copying and adding
     */
    public record Host(double latency, double bandwidth) {
        /** Nothing. */
        public static final Host NONE = new Host(0, Double.POSITIVE_INFINITY);
    }

    private static final double GIGABIT = 1e9 / 8;

    /** What of a link's bits is left for data by Ethernet, IP and TCP with frames of 1500 bytes. */
    private static final double PAYLOAD = 1448.0 / 1538;

    /**
     * Ethernet of 1, 10 and 100 Gbit/s with a switch, by connections; and NVLink by NCCL. The latencies are those usually found: 50, 25 and 10 us of
     * cards, switch and driver; 6 us of a kernel of NCCL, which moves 300 GB/s between H100s.
     */
    public static List<Network> usual(Host host) {
        return List.of(
                new Network("1 Gbit/s", 50e-6, PAYLOAD * GIGABIT, host),
                new Network("10 Gbit/s", 25e-6, PAYLOAD * 10 * GIGABIT, host),
                new Network("100 Gbit/s", 10e-6, PAYLOAD * 100 * GIGABIT, host),
                new Network("NVLink, NCCL", 6e-6, 300e9, Host.NONE));
    }

    /** That of one machine with itself. */
    public static Network loopback(Host host) {
        return new Network("loopback", 0, Double.POSITIVE_INFINITY, host);
    }

    /**
     * Seconds for the sum of so many float32s over {@code ranks}, a power of two, as {@link SocketRanks} goes about it: by recursive doubling, log2 of
     * the ranks messages of all numbers; or by halving and doubling, twice as many messages of parts.
     */
    public double sumSeconds(int floats, int ranks) {
        int turns = 31 - Integer.numberOfLeadingZeros(ranks);
        int messages = floats >= SocketRanks.LONG && turns >= 2 ? 2 * turns : turns;
        double moved = SocketRanks.bytesSent(ranks, floats);
        return messages * (latency + host.latency) + moved / bandwidth + moved / host.bandwidth;
    }

    /**
     * The largest number of ranks, a power of two of at most {@code most}, at which computing takes at least this share of the time.
     *
     * @param seconds that one rank alone computes for a sum
     * @param sharesWork whether the ranks have that work together, else each has as much
     */
    public int mostRanks(int floats, double seconds, double share, boolean sharesWork, int most) {
        int best = 1;
        for (int ranks = 2; ranks <= most; ranks *= 2) {
            double computes = sharesWork ? seconds / ranks : seconds;
            if (computes >= share * (computes + sumSeconds(floats, ranks))) {
                best = ranks;
            }
        }
        return best;
    }
}
