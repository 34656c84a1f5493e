// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where a process stands among those of a run, by the convention of environment variables that launchers of distributed training
 * have: {@value #RANK}, {@value #WORLD_SIZE}, {@value #LOCAL_RANK}, {@value #MASTER_ADDR}, {@value #MASTER_PORT}; and {@value
 * #TOKEN}, which keeps others out.
 *
 * @param rank from 0 to {@code size}
 * @param size number of processes
 * @param localRank number among those on this machine, which gives the device
 * @param masterAddress host name or address of rank 0, which listens there
 * @param masterPort its port, 1 to 65535
 * @param token what every rank must present; empty only on one machine, where the address is the loopback's
 * @param collective how arrays of devices are exchanged: {@code auto}, {@code sockets} or the name of a {@link CollectiveProvider}
 */
public record RankSettings(
        int rank, int size, int localRank, String masterAddress, int masterPort, String token, String collective) {
    public static final String RANK = "RANK";
    public static final String WORLD_SIZE = "WORLD_SIZE";
    public static final String LOCAL_RANK = "LOCAL_RANK";
    public static final String MASTER_ADDR = "MASTER_ADDR";
    public static final String MASTER_PORT = "MASTER_PORT";
    public static final String TOKEN = "FOVEA_TOKEN";
    public static final String COLLECTIVE = "FOVEA_COLLECTIVE";

    /** Lets the device decide. */
    public static final String AUTO = "auto";

    /** By connections alone, whatever the device. */
    public static final String SOCKETS = "sockets";

    private static final String LOOPBACK = "127.0.0.1";
    private static final int DEFAULT_PORT = 29500;
    private static final int LAST_PORT = 65535;

    /** Checks ranges; messages name the variables. */
    public RankSettings {
        require(size >= 1, WORLD_SIZE, size, "at least 1");
        require(rank >= 0 && rank < size, RANK, rank, "from 0 to " + WORLD_SIZE + " - 1 = " + (size - 1));
        require(localRank >= 0, LOCAL_RANK, localRank, "0 or more");
        require(masterPort >= 1 && masterPort <= LAST_PORT, MASTER_PORT, masterPort, "from 1 to " + LAST_PORT);
        if (masterAddress.isEmpty()) {
            throw new IllegalArgumentException(MASTER_ADDR + " must be the host name or address of rank 0, not empty");
        }
    }

    /**
     * What the environment says, or nothing where neither {@value #RANK} nor {@value #WORLD_SIZE} is set. The address of rank 0 is
     * that of this machine and its port 29500, and the local rank is the rank, unless something else is said.
     *
     * @throws IllegalArgumentException if a variable is missing or wrong; the message names it
     */
    public static Optional<RankSettings> of(Map<String, String> environment) {
        if (!environment.containsKey(RANK) && !environment.containsKey(WORLD_SIZE)) {
            return Optional.empty();
        }
        int rank = number(environment, RANK, null);
        return Optional.of(new RankSettings(
                rank,
                number(environment, WORLD_SIZE, null),
                number(environment, LOCAL_RANK, rank),
                environment.getOrDefault(MASTER_ADDR, LOOPBACK).strip(),
                number(environment, MASTER_PORT, DEFAULT_PORT),
                environment.getOrDefault(TOKEN, ""),
                environment.getOrDefault(COLLECTIVE, AUTO)));
    }

    /** As variables, for a process that is to be this one. */
    public Map<String, String> asEnvironment() {
        return Map.of(
                RANK, Integer.toString(rank),
                WORLD_SIZE, Integer.toString(size),
                LOCAL_RANK, Integer.toString(localRank),
                MASTER_ADDR, masterAddress,
                MASTER_PORT, Integer.toString(masterPort),
                TOKEN, token,
                COLLECTIVE, collective);
    }

    private static int number(Map<String, String> environment, String name, @Nullable Integer usual) {
        String value = environment.get(name);
        if (value == null) {
            if (usual == null) {
                throw new IllegalArgumentException(name + " is not set in the environment, but "
                        + (name.equals(RANK) ? WORLD_SIZE : RANK) + " is: each rank needs both");
            }
            return usual;
        }
        try {
            return Integer.parseInt(value.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " must be a whole number, got '" + value + "'", e);
        }
    }

    private static void require(boolean holds, String name, int value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException(name + " must be " + expected + ", got " + value);
        }
    }

    /** Without the token, which is not for logs. */
    @Override
    public String toString() {
        return "rank " + rank + " of " + size + ", master " + masterAddress + ":" + masterPort;
    }
}
