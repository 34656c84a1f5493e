// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import java.nio.charset.StandardCharsets;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveProvider;
import org.fovea.collective.RankSettings;

/** Opens {@link NcclCollective}s where every rank has NCCL of one version, JNA, and a CUDA device. */
public final class NcclProvider implements CollectiveProvider {

    /** For the service loader. */
    public NcclProvider() {}

    @Override
    public String name() {
        return "nccl";
    }

    @Override
    public boolean suits(Backend backend) {
        return backend.sharing().isPresent();
    }

    @Override
    public Collective open(Backend backend, RankSettings settings, Collective host) {
        // Nobody begins what another one can't take part in, so all say first what they have.
        String own = version(backend);
        byte[][] all = host.gather(own.getBytes(StandardCharsets.UTF_8));
        String expected = new String(all[0], StandardCharsets.UTF_8);
        for (int rank = 0; rank < all.length; rank++) {
            String theirs = new String(all[rank], StandardCharsets.UTF_8);
            if (!isVersion(theirs)) {
                throw new BackendUnavailableException("NCCL can't be used: rank " + rank + " says: " + theirs);
            }
            if (!theirs.equals(expected)) {
                throw new BackendUnavailableException("NCCL can't be used: rank 0 has version " + expected + ", rank "
                        + rank + " has " + theirs + "; install the same everywhere");
            }
        }
        DeviceSharing sharing = backend.sharing().orElseThrow();
        return NcclCollective.open(backend, sharing, host);
    }

    private static boolean isVersion(String answer) {
        return !answer.isEmpty() && Character.isDigit(answer.charAt(0));
    }

    /** NCCL's version as it is numbered, 22304 for 2.23.4, or why there is none. */
    private static String version(Backend backend) {
        if (backend.sharing().isEmpty()) {
            return "NCCL is between CUDA devices, but the backend is " + backend.name();
        }
        try {
            Nccl.load();
            int[] version = new int[1];
            int status = Nccl.ncclGetVersion(version);
            return status == Nccl.SUCCESS
                    ? Integer.toString(version[0])
                    : "ncclGetVersion failed: " + Nccl.describe(status);
        } catch (NoClassDefFoundError e) {
            return "JNA is not on the class path; add net.java.dev.jna:jna (" + e.getMessage() + ")";
        } catch (LinkageError e) {
            return String.valueOf(e.getMessage());
        }
    }
}
