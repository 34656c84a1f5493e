// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import java.util.Locale;
import java.util.Map;
import org.fovea.env.UnknownNameException;

/**
 * A plain model of a card: how much of each kind of work it does per clock and multiprocessor at most.
 *
 * <p>Multiprocessors, clocks, memory bandwidth and the rates of tensor cores are those of NVIDIA's white papers: A100 Tensor
 * Core GPU Architecture (2020), H100 Tensor Core GPU Architecture (2022), H200 data sheet (2023), Ada GPU Architecture (2022);
 * the rates of other arithmetic those of the table of arithmetic instructions in the CUDA C++ Programming Guide. On Hopper
 * {@code mma.sync} reaches 63 % of what {@code wgmma} does: Luo et al. 2024, "Benchmarking and Dissecting the Nvidia Hopper GPU
 * Architecture via Microbenchmarking". 64 bytes per clock and multiprocessor from the second-level cache are what
 * microbenchmarks of these generations find; NVIDIA publishes no figure for each.
 */
public enum Card {
    A100("A100 SXM 80 GB", 108, 1.410e9, 1.410e9, 2039e9, 64, 32, ampere(), 1),
    H100("H100 SXM 80 GB", 132, 1.980e9, 1.830e9, 3352e9, 128, 64, hopper(), 0.63),
    H200("H200 SXM 141 GB", 132, 1.980e9, 1.830e9, 4800e9, 128, 64, hopper(), 0.63),
    RTX4090("RTX 4090", 128, 2.520e9, 2.520e9, 1008e9, 128, 2, ada(), 1);

    /** Warp instructions that a multiprocessor issues per clock: one for each of its four schedulers. */
    static final double ISSUED = 4;

    /** Lanes per clock and multiprocessor of 32-bit integers, comparisons and conversions. */
    static final double INTEGER_LANES = 64;

    /** Lanes per clock and multiprocessor of ex2, lg2, rcp, rsqrt, sin, cos and tanh. */
    static final double SPECIAL_LANES = 16;

    /** Lanes per clock and multiprocessor of loads, stores and shuffles. */
    static final double MEMORY_LANES = 32;

    /** Sectors of 32 bytes per clock between a multiprocessor and its first-level cache. */
    static final double CACHED_SECTORS = 4;

    /** Bytes per clock and multiprocessor from the second-level cache. */
    static final double SECOND_LEVEL_BYTES = 64;

    final String title;
    final int multiprocessors;
    final double clock;

    /** While tensor cores work: Hopper's boost is lower then. */
    final double tensorClock;

    /** Bytes per second. */
    final double bandwidth;

    final double floatLanes;
    final double doubleLanes;
    private final Map<String, Double> tensorRates;
    private final double synchronousPart;

    Card(
            String title,
            int multiprocessors,
            double clock,
            double tensorClock,
            double bandwidth,
            double floatLanes,
            double doubleLanes,
            Map<String, Double> tensorRates,
            double synchronousPart) {
        this.title = title;
        this.multiprocessors = multiprocessors;
        this.clock = clock;
        this.tensorClock = tensorClock;
        this.bandwidth = bandwidth;
        this.floatLanes = floatLanes;
        this.doubleLanes = doubleLanes;
        this.tensorRates = tensorRates;
        this.synchronousPart = synchronousPart;
    }

    /**
     * The card of a name.
     *
     * @throws UnknownNameException if there is none
     */
    public static Card of(String name) {
        return UnknownNameException.find("card", name, values());
    }

    /** The name that options know it by. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * Multiply-adds per clock and multiprocessor.
     *
     * @param type of the factors, such as bf16 or, with that of the sum, f16.f32; after {@code wgmma.} that of asynchronous ones
     */
    double tensorRate(String type) {
        String asynchronous = "wgmma.";
        if (type.startsWith(asynchronous)) {
            return tensorRates.getOrDefault(type.substring(asynchronous.length()), 1.0);
        }
        return synchronousPart * tensorRates.getOrDefault(type, 1.0);
    }

    private static Map<String, Double> ampere() {
        return Map.of(
                "f16.f32", 1024.0, "f16.f16", 1024.0, "bf16", 1024.0, "tf32", 512.0, "s8", 2048.0, "u8", 2048.0, "f64",
                64.0);
    }

    private static Map<String, Double> hopper() {
        return Map.of(
                "f16.f32", 2048.0, "f16.f16", 2048.0, "bf16", 2048.0, "tf32", 1024.0, "s8", 4096.0, "u8", 4096.0, "f64",
                128.0);
    }

    /** With sums in float32 at half the rate. */
    private static Map<String, Double> ada() {
        return Map.of(
                "f16.f32", 256.0, "f16.f16", 512.0, "bf16", 256.0, "tf32", 128.0, "s8", 1024.0, "u8", 1024.0, "f64",
                2.0);
    }
}
