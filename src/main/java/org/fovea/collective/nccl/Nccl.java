// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective.nccl;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Structure;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The functions of NCCL's C API that are called, by JNA's direct mapping. Addresses, handles and {@code size_t} are {@code long}s, as on every
 * system that NCCL is for.
 */
public final class Nccl {
    static final String LIBRARY = "libnccl.so.2";

    /** System property with the path of the driver to use in place of the system's, as the simulated one is. */
    private static final String DRIVER_PROPERTY = "fovea.cuda.driver";

    static final int SUCCESS = 0;

    /** {@code ncclFloat32} of {@code ncclDataType_t}. */
    static final int FLOAT32 = 7;

    /** {@code ncclSum} of {@code ncclRedOp_t}. */
    static final int SUM = 0;

    /** {@code NCCL_UNIQUE_ID_BYTES}. */
    static final int UNIQUE_ID_BYTES = 128;

    private static boolean loaded;

    private Nccl() {}

    /** {@code ncclUniqueId}, which is passed by value. */
    @Structure.FieldOrder("internal")
    public static final class UniqueId extends Structure implements Structure.ByValue {
        /** Of {@code ncclGetUniqueId}. */
        public byte[] internal = new byte[UNIQUE_ID_BYTES];
    }

    /**
     * Loads the library; the second time nothing. Where a driver is named by {@value #DRIVER_PROPERTY}, it is looked for next to that and
     * nowhere else.
     *
     * @throws UnsatisfiedLinkError if there is none, or it lacks a function; in one line
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String driver = System.getProperty(DRIVER_PROPERTY);
        String library = LIBRARY;
        if (driver != null) {
            Path beside = Path.of(driver).toAbsolutePath().resolveSibling(LIBRARY);
            if (!Files.isRegularFile(beside)) {
                throw new UnsatisfiedLinkError(LIBRARY + " was not found beside the driver: " + beside);
            }
            library = beside.toString();
        }
        try {
            Native.register(Nccl.class, NativeLibrary.getInstance(library));
        } catch (UnsatisfiedLinkError e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
            throw new UnsatisfiedLinkError(LIBRARY + " can't be loaded (" + reason
                    + "); install NCCL 2.13 or newer (Debian: libnccl2)" + " or add its directory to LD_LIBRARY_PATH");
        }
        loaded = true;
    }

    /** An error's meaning, and what the library says about the last one. */
    static String describe(int status) {
        String last = ncclGetLastError(0);
        String meaning = ncclGetErrorString(status);
        return last == null || last.isBlank() ? meaning : meaning + "; " + last.strip();
    }

    static native int ncclGetVersion(int[] version);

    static native int ncclGetUniqueId(byte[] id);

    static native int ncclCommInitRank(long[] communicator, int size, UniqueId id, int rank);

    static native int ncclAllReduce(
            long from, long to, long count, int type, int operation, long communicator, long stream);

    static native int ncclBroadcast(long from, long to, long count, int type, int root, long communicator, long stream);

    static native int ncclCommGetAsyncError(long communicator, int[] status);

    static native int ncclCommAbort(long communicator);

    static native int ncclCommDestroy(long communicator);

    static native String ncclGetErrorString(int status);

    static native String ncclGetLastError(long communicator);
}
