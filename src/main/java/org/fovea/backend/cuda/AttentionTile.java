package org.fovea.backend.cuda;

/**
 * The tilings that {@code kernels/attention/forward.cu} instantiates.
 *
 * @param dim longest head dim of keys and of values
 * @param queries queries per block
 * @param keys keys per step
 */
record AttentionTile(int dim, int queries, int keys) {

    /** From the smallest on. */
    static final AttentionTile[] ALL = {
        new AttentionTile(32, 16, 16),
        new AttentionTile(64, 16, 16),
        new AttentionTile(32, 64, 64),
        new AttentionTile(64, 64, 64),
        new AttentionTile(128, 64, 32),
        new AttentionTile(256, 32, 32)
    };

    static final int THREADS = 256;

    private static final int PADDING = 4;

    /** Index in {@link #ALL} of the tiling for rows of {@code dim} and {@code queries} queries. */
    static int choose(int dim, int queries) {
        int choice = ALL.length - 1;
        // The largest tile that the queries fill, else the smallest whose rows are long enough.
        for (int i = ALL.length - 1; i >= 0; i--) {
            boolean better = ALL[i].dim < ALL[choice].dim || queries <= ALL[i].queries;
            if (ALL[i].dim >= dim && better) {
                choice = i;
            }
        }
        return choice;
    }

    String kernelName() {
        return "attention_forward_d" + dim + "_q" + queries + "_k" + keys;
    }

    /** Query tile, tile of keys or values, and weights. */
    int sharedBytes() {
        return Float.BYTES * ((queries + keys) * (dim + PADDING) + queries * (keys + PADDING));
    }
}
