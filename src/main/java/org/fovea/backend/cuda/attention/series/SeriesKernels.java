// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.params.AttentionNormalizeParams;
import org.fovea.backend.cuda.params.AttentionSeriesParams;

/** The kernels of {@code kernels/series}. */
final class SeriesKernels {
    static final int SINK_THREADS = 128;

    private final CudaKernels kernels;
    private final Map<Kind, Map<SeriesTiling.Instance, CudaKernels.Kernel>> tiled = new EnumMap<>(Kind.class);
    final CudaKernels.Kernel delta;
    final CudaKernels.Kernel sink;
    final CudaKernels.Kernel distanceBias;
    final CudaKernels.Kernel normalize;
    final CudaKernels.Kernel normalizeBackward;
    final CudaKernels.Kernel normalizers;
    final CudaKernels.Kernel weights;
    final AttentionSeriesParams params;
    final AttentionNormalizeParams normalizeParams;

    /** Those that walk over tiles of scores. */
    enum Kind {
        FORWARD,
        ROWS,
        COLUMNS,
        BIAS,
        DISTANCES
    }

    SeriesKernels(CudaKernels kernels) {
        this.kernels = kernels;
        for (Kind kind : Kind.values()) {
            Map<SeriesTiling.Instance, CudaKernels.Kernel> instances = new EnumMap<>(SeriesTiling.Instance.class);
            for (SeriesTiling.Instance instance : SeriesTiling.Instance.values()) {
                String name = ("attention_series_" + kind + '_' + instance).toLowerCase(Locale.ROOT);
                instances.put(instance, kernels.find(name, SeriesTiling.THREADS, SeriesTiling.MAX_SHARED_BYTES));
            }
            tiled.put(kind, instances);
        }
        delta = kernels.find("attention_series_delta", SeriesTiling.THREADS, 0);
        sink = kernels.find("attention_series_sink", SINK_THREADS, 0);
        normalizers = kernels.find("attention_series_normalizers", SeriesTiling.THREADS, SeriesTiling.MAX_SHARED_BYTES);
        distanceBias = kernels.find("attention_series_distance_bias", SeriesTiling.THREADS, 0);
        weights = kernels.find("attention_series_weights", SeriesTiling.THREADS, SeriesTiling.MAX_SHARED_BYTES);
        normalize = kernels.find("attention_series_normalize", SeriesTiling.THREADS, 0);
        normalizeBackward = kernels.find("attention_series_normalize_backward", SeriesTiling.THREADS, 0);
        params = new AttentionSeriesParams(kernels.parameters());
        normalizeParams = new AttentionNormalizeParams(kernels.parameters());
    }

    /** Launches, with the parameters that were written, the instance that a tiling is for. */
    void launch(Kind kind, SeriesTiling tiling, long blocks) {
        Map<SeriesTiling.Instance, CudaKernels.Kernel> instances = Objects.requireNonNull(tiled.get(kind), "kind");
        CudaKernels.Kernel kernel = Objects.requireNonNull(instances.get(tiling.instance()), "instance");
        if (blocks > 0) {
            kernels.launch(kernel, blocks, tiling.threads(), tiling.sharedBytes(), params);
        }
    }

    /** One that has tiles of scores and no instances. */
    void launch(CudaKernels.Kernel kernel, SeriesTiling tiling, long blocks) {
        if (blocks > 0) {
            kernels.launch(kernel, blocks, tiling.threads(), tiling.sharedBytes(), params);
        }
    }

    /** A kernel that has no tiles. */
    void launch(CudaKernels.Kernel kernel, long blocks, int threads) {
        kernels.launch(kernel, blocks, threads, 0, params);
    }

    void launchNormalize(CudaKernels.Kernel kernel, long blocks) {
        kernels.launch(kernel, blocks, normalizeParams);
    }
}
