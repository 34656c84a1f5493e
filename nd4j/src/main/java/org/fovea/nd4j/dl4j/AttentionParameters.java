// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** The parameters of a {@link FoveaAttentionLayer}, as DL4J's layers have them. */
final class AttentionParameters implements ParamInitializer {
    static final AttentionParameters INSTANCE = new AttentionParameters();

    /** Learned queries, [1, nIn, queries]. */
    static final String QUERIES = "Q";

    /** Projections of the input, [heads, headSize, nIn]. */
    static final String QUERY = "Wq";

    static final String KEY = "Wk";
    static final String VALUE = "Wv";

    /** The projection of what the heads give, [heads * headSize, nOut]. */
    static final String OUTPUT = "Wo";

    private AttentionParameters() {}

    private static Map<String, long[]> shapes(Layer layer) {
        FoveaAttentionLayer conf = (FoveaAttentionLayer) layer;
        Map<String, long[]> shapes = new LinkedHashMap<>();
        if (conf.getQueries() > 0) {
            shapes.put(QUERIES, new long[] {1, conf.getNIn(), conf.getQueries()});
        }
        if (conf.isProjectInput()) {
            long[] projection = {conf.getHeads(), conf.getHeadSize(), conf.getNIn()};
            shapes.put(QUERY, projection);
            shapes.put(KEY, projection);
            shapes.put(VALUE, projection);
            shapes.put(OUTPUT, new long[] {conf.getHeads() * conf.getHeadSize(), conf.getNOut()});
        }
        return shapes;
    }

    private static long size(long[] shape) {
        long size = 1;
        for (long extent : shape) {
            size *= extent;
        }
        return size;
    }

    @Override
    public long numParams(NeuralNetConfiguration conf) {
        return numParams(conf.getLayer());
    }

    @Override
    public long numParams(Layer layer) {
        return shapes(layer).values().stream()
                .mapToLong(AttentionParameters::size)
                .sum();
    }

    @Override
    public List<String> paramKeys(Layer layer) {
        return List.copyOf(shapes(layer).keySet());
    }

    @Override
    public List<String> weightKeys(Layer layer) {
        return paramKeys(layer);
    }

    @Override
    public List<String> biasKeys(Layer layer) {
        return List.of();
    }

    @Override
    public boolean isWeightParam(Layer layer, String key) {
        return shapes(layer).containsKey(key);
    }

    @Override
    public boolean isBiasParam(Layer layer, String key) {
        return false;
    }

    @Override
    public Map<String, INDArray> init(NeuralNetConfiguration conf, INDArray paramsView, boolean initializeParams) {
        FoveaAttentionLayer layer = (FoveaAttentionLayer) conf.getLayer();
        Map<String, INDArray> parameters = views(layer, paramsView);
        parameters.forEach((name, array) -> {
            conf.addVariable(name);
            if (initializeParams) {
                initialize(layer, name, array);
            }
        });
        return parameters;
    }

    /** With the numbers of inputs and outputs that DL4J's layers give. */
    private static void initialize(FoveaAttentionLayer layer, String name, INDArray array) {
        double in = layer.getNIn();
        double out = switch (name) {
            case QUERIES -> layer.getQueries();
            case OUTPUT -> layer.getHeadSize();
            default -> {
                in = layer.getHeads() * layer.getHeadSize();
                yield layer.getNOut();
            }
        };
        layer.getWeightInitFn().init(in, out, array.shape(), 'c', array);
    }

    @Override
    public Map<String, INDArray> getGradientsFromFlattened(NeuralNetConfiguration conf, INDArray gradientView) {
        return views(conf.getLayer(), gradientView);
    }

    private static Map<String, INDArray> views(Layer layer, INDArray flattened) {
        Map<String, INDArray> views = new LinkedHashMap<>();
        long[] start = {0};
        shapes(layer).forEach((name, shape) -> {
            long end = start[0] + size(shape);
            INDArray part = flattened.reshape(flattened.length()).get(NDArrayIndex.interval(start[0], end));
            views.put(name, part.reshape('c', shape));
            start[0] = end;
        });
        return views;
    }
}
