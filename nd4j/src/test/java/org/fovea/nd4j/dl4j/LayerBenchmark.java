// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import java.util.Arrays;
import java.util.Locale;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.SelfAttentionLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Sgd;

/** A whole step of training of a network of one attention layer and an output layer: Fovea's layer beside DL4J's, in turns. */
final class LayerBenchmark {
    private static final int CLASSES = 4;

    /** Extents of the input, [batch, features, time], and heads. */
    record Extents(int batch, int time, int features, int heads) {}

    /** Medians, in milliseconds. */
    record Result(Extents extents, double fovea, double dl4j) {
        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "| %d, %d, %d, %d | %.1f | %.1f | %.2f |",
                    extents.batch,
                    extents.time,
                    extents.features,
                    extents.heads,
                    dl4j,
                    fovea,
                    dl4j / fovea);
        }
    }

    private LayerBenchmark() {}

    public static void main(String[] arguments) {
        int rounds = arguments.length == 0 ? 7 : Integer.parseInt(arguments[0]);
        System.out.println("| batch, time, features, heads | DL4J, ms | Fovea, ms | times as fast |");
        System.out.println("|---|---|---|---|");
        for (Extents extents :
                new Extents[] {new Extents(64, 128, 256, 4), new Extents(8, 1024, 512, 8), new Extents(256, 16, 64, 4)
                }) {
            System.out.println(measure(extents, rounds));
        }
    }

    static Result measure(Extents e, int rounds) {
        INDArray labels = Nd4j.zeros(DataType.FLOAT, e.batch, CLASSES, e.time);
        for (int b = 0; b < e.batch; b++) {
            for (int t = 0; t < e.time; t++) {
                labels.putScalar(b, (b + t) % CLASSES, t, 1);
            }
        }
        DataSet data = new DataSet(Nd4j.randn(DataType.FLOAT, e.batch, e.features, e.time), labels);
        MultiLayerNetwork fovea = network(
                new FoveaAttentionLayer.Builder()
                        .nIn(e.features)
                        .nOut(e.features)
                        .nHeads(e.heads)
                        .projectInput(true)
                        .build(),
                e);
        MultiLayerNetwork dl4j = network(
                new SelfAttentionLayer.Builder()
                        .nIn(e.features)
                        .nOut(e.features)
                        .nHeads(e.heads)
                        .projectInput(true)
                        .build(),
                e);
        double[] foveaTimes = new double[rounds];
        double[] dl4jTimes = new double[rounds];
        for (int round = -2; round < rounds; round++) {
            double first = milliseconds(fovea, data);
            double second = milliseconds(dl4j, data);
            if (round >= 0) {
                foveaTimes[round] = first;
                dl4jTimes[round] = second;
            }
        }
        return new Result(e, median(foveaTimes), median(dl4jTimes));
    }

    private static MultiLayerNetwork network(Layer attention, Extents e) {
        MultiLayerNetwork network = new MultiLayerNetwork(new NeuralNetConfiguration.Builder()
                .seed(1)
                .updater(new Sgd(0.01))
                .list()
                .layer(attention)
                .layer(new RnnOutputLayer.Builder()
                        .nIn(e.features)
                        .nOut(CLASSES)
                        .activation(Activation.SOFTMAX)
                        .build())
                .setInputType(InputType.recurrent(e.features, e.time))
                .build());
        network.init();
        return network;
    }

    private static double milliseconds(MultiLayerNetwork network, DataSet data) {
        long start = System.nanoTime();
        network.fit(data);
        return (System.nanoTime() - start) * 1e-6;
    }

    private static double median(double[] times) {
        Arrays.sort(times);
        return times[times.length / 2];
    }
}
