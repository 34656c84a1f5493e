// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.backend.memory.ShapeException;
import org.fovea.collective.Collective;
import org.fovea.collective.CollectiveException;
import org.jspecify.annotations.Nullable;

/**
 * Sums over cards by NCCL, on the backend's stream: they come after what was issued before, the host waits for nothing, and a captured step can have
 * them. All else goes by the host's collective. The order of a sum is NCCL's own: the same from run to run on the same number of ranks, another on
 * another.
 *
 * <p>A rank that dies leaves the others' streams waiting for it. So a thread asks the library every now and then whether all is well, and where it is
 * not, or the host's collective says so, gives the communicator up, which ends what waits.
 */
final class NcclCollective implements Collective {
    private static final Logger LOGGER = System.getLogger(NcclCollective.class.getName());

    private static final long MILLIS_BETWEEN_LOOKS = 250;

    private final DeviceSharing sharing;
    private final Collective host;
    private final long communicator;

    /** Held while the library is asked from other threads than the owner's, so that the communicator is there. */
    private final Object lock = new Object();

    /** Why it was given up. */
    private volatile @Nullable String failure;

    /** Whether the communicator was given up or closed, which may be done once. */
    private boolean ended;

    private NcclCollective(DeviceSharing sharing, Collective host, long communicator) {
        this.sharing = sharing;
        this.host = host;
        this.communicator = communicator;
    }

    /** Called by all ranks, which have the library. */
    static NcclCollective open(Backend backend, DeviceSharing sharing, Collective host) {
        // Makes the device's context that of this thread, which is where the library will look for it.
        sharing.stream();
        byte[] own = new byte[0];
        String complaint = "";
        if (host.rank() == 0) {
            own = new byte[Nccl.UNIQUE_ID_BYTES];
            int result = Nccl.ncclGetUniqueId(own);
            complaint = result == Nccl.SUCCESS ? "" : "ncclGetUniqueId failed: " + Nccl.describe(result);
        }
        requireAll(host, complaint);
        Nccl.UniqueId id = new Nccl.UniqueId();
        id.internal = host.gather(own)[0];
        long[] communicator = new long[1];
        int status = Nccl.ncclCommInitRank(communicator, host.size(), id, host.rank());
        // As where two ranks have one device: then none goes on with it.
        try {
            requireAll(host, status == Nccl.SUCCESS ? "" : "ncclCommInitRank failed: " + Nccl.describe(status));
        } catch (BackendUnavailableException e) {
            if (status == Nccl.SUCCESS) {
                Nccl.ncclCommAbort(communicator[0]);
            }
            throw e;
        }
        NcclCollective opened = new NcclCollective(sharing, host, communicator[0]);
        host.whenFailed(opened::giveUp);
        opened.watch();
        try {
            opened.connect(backend);
        } catch (RuntimeException e) {
            opened.giveUp(e.toString());
            throw e;
        }
        return opened;
    }

    /** Called by all ranks: throws in all of them what the first says that cannot take part. */
    private static void requireAll(Collective host, String complaint) {
        byte[][] all = host.gather(complaint.getBytes(StandardCharsets.UTF_8));
        for (int rank = 0; rank < all.length; rank++) {
            if (all[rank].length > 0) {
                throw new BackendUnavailableException(
                        "NCCL can't be used: rank " + rank + " says: " + new String(all[rank], StandardCharsets.UTF_8));
            }
        }
    }

    /** Once through everything: the library makes connections when they are first needed, and could not while a stream captures. */
    private void connect(Backend backend) {
        DeviceArray array = backend.memory().allocate(DType.F32, 1);
        allReduceSum(array);
        broadcast(array, 0);
        backend.synchronize();
        array.release();
        requireWell();
    }

    private void watch() {
        Thread watcher = new Thread(this::look, "nccl-watch");
        watcher.setDaemon(true);
        watcher.start();
    }

    private void look() {
        int[] status = new int[1];
        while (true) {
            try {
                Thread.sleep(MILLIS_BETWEEN_LOOKS);
            } catch (InterruptedException e) {
                return;
            }
            synchronized (lock) {
                if (ended) {
                    return;
                }
                int result = Nccl.ncclCommGetAsyncError(communicator, status);
                int found = result == Nccl.SUCCESS ? status[0] : result;
                if (found != Nccl.SUCCESS) {
                    giveUp("NCCL at rank " + rank() + " of " + size() + " has lost another rank: "
                            + Nccl.describe(found));
                }
            }
        }
    }

    /** Ends what waits for the others. From any thread. */
    private void giveUp(String reason) {
        synchronized (lock) {
            if (!ended) {
                ended = true;
                failure = reason;
                Nccl.ncclCommAbort(communicator);
            }
        }
    }

    private void requireWell() {
        String reason = failure;
        if (reason != null) {
            throw new CollectiveException(reason);
        }
    }

    private long address(String operation, DeviceArray array) {
        requireWell();
        if (array.dtype() != DType.F32) {
            throw new ShapeException(operation, "array is " + array + ", expected elements of " + DType.F32);
        }
        return sharing.address(array);
    }

    @Override
    public int rank() {
        return host.rank();
    }

    @Override
    public int size() {
        return host.size();
    }

    @Override
    public void allReduceSum(DeviceArray array) {
        long address = address("allReduceSum", array);
        if (array.length() == 0) {
            return;
        }
        int status = Nccl.ncclAllReduce(
                address, address, array.length(), Nccl.FLOAT32, Nccl.SUM, communicator, sharing.stream());
        if (status != Nccl.SUCCESS) {
            throw failed(status, "ncclAllReduce", array);
        }
    }

    @Override
    public void broadcast(DeviceArray array, int root) {
        long address = address("broadcast", array);
        if (array.length() == 0) {
            return;
        }
        int status = Nccl.ncclBroadcast(
                address, address, array.length(), Nccl.FLOAT32, root, communicator, sharing.stream());
        if (status != Nccl.SUCCESS) {
            throw failed(status, "ncclBroadcast", array);
        }
    }

    private CollectiveException failed(int status, String call, DeviceArray array) {
        return new CollectiveException(
                call + " of " + array + " failed at rank " + rank() + " of " + size() + ": " + Nccl.describe(status));
    }

    @Override
    public byte[][] gather(byte[] own) {
        return host.gather(own);
    }

    @Override
    public boolean isCapturable() {
        return true;
    }

    @Override
    public void fail(String reason) {
        giveUp(reason);
        host.fail(reason);
    }

    /** After the steps that were captured with it. */
    @Override
    public void close() {
        synchronized (lock) {
            if (!ended) {
                ended = true;
                failure = "this collective is closed";
                int status = Nccl.ncclCommDestroy(communicator);
                if (status != Nccl.SUCCESS) {
                    LOGGER.log(Level.WARNING, "ncclCommDestroy failed: {0}", Nccl.describe(status));
                }
            }
        }
        host.close();
    }
}
