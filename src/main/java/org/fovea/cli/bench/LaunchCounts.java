// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What the simulator counted in one launch: a line of its profile.
 *
 * @param grid blocks along x, y and z
 * @param instructions of warps, by class
 * @param laneInstructions of active lanes
 * @param issueSlots machine instructions that these are expected to become
 * @param multiplyAdds on tensor cores, by type
 * @param shared requests to shared memory, by what makes them
 * @param global requests to global memory, by what makes them
 * @param readBytes of global memory, each sector once
 * @param writtenBytes of global memory, each sector once
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record LaunchCounts(
        String kernel,
        List<Long> grid,
        Map<String, Long> instructions,
        @JsonProperty("lane_instructions") long laneInstructions,
        @JsonProperty("issue_slots") long issueSlots,
        @JsonProperty("multiply_adds") Map<String, Long> multiplyAdds,
        Map<String, Requests> shared,
        Map<String, Requests> global,
        @JsonProperty("read_bytes") long readBytes,
        @JsonProperty("written_bytes") long writtenBytes,
        long branches,
        @JsonProperty("divergent_branches") long divergentBranches) {

    /** Lanes of a warp. */
    private static final double WARP = 32;

    private static final double SECTOR_BYTES = 32;

    /** Requests of warps, the wavefronts or sectors that they took, and how many of these they need at least. */
    record Requests(long requests, long bytes, long wavefronts, long sectors, long least) {
        static final Requests NONE = new Requests(0, 0, 0, 0, 0);

        Requests plus(Requests other) {
            return new Requests(
                    requests + other.requests,
                    bytes + other.bytes,
                    wavefronts + other.wavefronts,
                    sectors + other.sectors,
                    least + other.least);
        }
    }

    /** What a kernel may wait for. */
    enum Resource {
        ISSUE,
        FLOAT,
        INTEGER,
        SPECIAL,
        DOUBLE,
        LOAD_STORE,
        SHARED,
        TENSOR,
        L2,
        HBM
    }

    Requests allShared() {
        return shared.values().stream().reduce(Requests.NONE, Requests::plus);
    }

    Requests allGlobal() {
        return global.values().stream().reduce(Requests.NONE, Requests::plus);
    }

    long warpInstructions() {
        return instructions.values().stream().mapToLong(Long::longValue).sum();
    }

    /** Warp instructions of the classes that begin with one of these. */
    long of(String... prefixes) {
        long sum = 0;
        for (Map.Entry<String, Long> entry : instructions.entrySet()) {
            for (String prefix : prefixes) {
                if (entry.getKey().startsWith(prefix)) {
                    sum += entry.getValue();
                    break;
                }
            }
        }
        return sum;
    }

    /** Seconds that each resource is busy at its highest rate. A launch takes no less than the longest of them. */
    Map<Resource, Double> seconds(Card card) {
        double busy = busyMultiprocessors(card);
        double clocks = card.clock * busy;
        Requests requested = allGlobal();
        double floats = of("fma") - of("fma.f64");
        double integers = of("alu", "convert", "division") + of("imad");
        double memory = of("ld.", "st.", "atom.", "red.", "ldmatrix", "stmatrix", "shuffle")
                + instructions.getOrDefault("cp.async", 0L);
        double products = multiplyAdds.entrySet().stream()
                .mapToDouble(entry -> entry.getValue() / card.tensorRate(entry.getKey()))
                .sum();
        Map<Resource, Double> seconds = new EnumMap<>(Resource.class);
        seconds.put(Resource.ISSUE, issueSlots / Card.ISSUED / clocks);
        seconds.put(Resource.FLOAT, floats * WARP / card.floatLanes / clocks);
        seconds.put(Resource.INTEGER, integers * WARP / Card.INTEGER_LANES / clocks);
        seconds.put(Resource.SPECIAL, of("mufu", "division") * WARP / Card.SPECIAL_LANES / clocks);
        seconds.put(Resource.DOUBLE, of("fma.f64") * WARP / card.doubleLanes / clocks);
        seconds.put(Resource.LOAD_STORE, memory * WARP / Card.MEMORY_LANES / clocks);
        seconds.put(Resource.SHARED, (allShared().wavefronts + requested.sectors / Card.CACHED_SECTORS) / clocks);
        seconds.put(Resource.TENSOR, products / (card.tensorClock * busy));
        seconds.put(Resource.L2, requested.sectors * SECTOR_BYTES / Card.SECOND_LEVEL_BYTES / clocks);
        seconds.put(Resource.HBM, (readBytes + writtenBytes) / card.bandwidth);
        return seconds;
    }

    /** As many multiprocessors as would be busy all the time that the one with the most blocks is. */
    private double busyMultiprocessors(Card card) {
        double blocks = (double) grid.get(0) * grid.get(1) * grid.get(2);
        return blocks / Math.ceil(blocks / card.multiprocessors);
    }
}
