// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import org.deeplearning4j.gradientcheck.GradientCheckUtil;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.GlobalPoolingLayer;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.PoolingType;
import org.deeplearning4j.nn.conf.layers.SelfAttentionLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.NoOp;
import org.nd4j.linalg.learning.config.Sgd;

final class FoveaAttentionLayerTest {
    private static final int BATCH = 3;
    private static final int FEATURES = 6;
    private static final int TIME = 5;
    private static final int CLASSES = 2;

    /** Each layer, and DL4J's in whose place it stands. */
    enum Kind {
        PROJECTED {
            @Override
            Layer fovea() {
                return new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(8)
                        .nHeads(2)
                        .projectInput(true)
                        .build();
            }

            @Override
            Layer dl4j() {
                return new SelfAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(8)
                        .nHeads(2)
                        .projectInput(true)
                        .build();
            }
        },
        HEAD_SIZE {
            @Override
            Layer fovea() {
                return new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(5)
                        .nHeads(3)
                        .headSize(4)
                        .projectInput(true)
                        .build();
            }

            @Override
            Layer dl4j() {
                return new SelfAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(5)
                        .nHeads(3)
                        .headSize(4)
                        .projectInput(true)
                        .build();
            }
        },
        PLAIN {
            @Override
            Layer fovea() {
                return new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(FEATURES)
                        .build();
            }

            @Override
            Layer dl4j() {
                return new SelfAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(FEATURES)
                        .nHeads(1)
                        .projectInput(false)
                        .build();
            }
        },
        LEARNED {
            @Override
            Layer fovea() {
                return new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(8)
                        .nHeads(2)
                        .nQueries(3)
                        .projectInput(true)
                        .build();
            }

            @Override
            Layer dl4j() {
                return new LearnedReference(FEATURES, 8, 2, 3, true);
            }
        },
        LEARNED_PLAIN {
            @Override
            Layer fovea() {
                return new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(FEATURES)
                        .nQueries(3)
                        .build();
            }

            @Override
            Layer dl4j() {
                return new LearnedReference(FEATURES, FEATURES, 1, 3, false);
            }
        };

        abstract Layer fovea();

        abstract Layer dl4j();
    }

    private static MultiLayerNetwork network(Layer attention, DataType type, IUpdater updater) {
        MultiLayerConfiguration conf = new NeuralNetConfiguration.Builder()
                .seed(1234)
                .dataType(type)
                .updater(updater)
                .activation(Activation.TANH)
                .list()
                .layer(new LSTM.Builder().nOut(FEATURES).build())
                .layer(attention)
                .layer(new GlobalPoolingLayer.Builder()
                        .poolingType(PoolingType.AVG)
                        .build())
                .layer(new OutputLayer.Builder()
                        .nOut(CLASSES)
                        .activation(Activation.SOFTMAX)
                        .build())
                .setInputType(InputType.recurrent(4))
                .build();
        MultiLayerNetwork network = new MultiLayerNetwork(conf);
        network.init();
        return network;
    }

    private static INDArray input(DataType type, int seed) {
        Nd4j.getRandom().setSeed(seed);
        return Nd4j.randn(type, BATCH, 4, TIME);
    }

    private static INDArray labels(DataType type) {
        return Nd4j.createFromArray(new double[][] {{1, 0}, {0, 1}, {0, 1}}).castTo(type);
    }

    /** The first example is whole, the others end early. */
    private static INDArray mask(DataType type) {
        return Nd4j.createFromArray(new double[][] {{1, 1, 1, 1, 1}, {1, 1, 1, 0, 0}, {1, 0, 0, 0, 0}})
                .castTo(type);
    }

    @AfterEach
    void floats() {
        Nd4j.setDefaultDataTypes(DataType.FLOAT, DataType.FLOAT);
    }

    @ParameterizedTest
    @EnumSource
    void theSameSeedGivesDl4jsParametersAndOutputs(Kind kind) {
        MultiLayerNetwork fovea = network(kind.fovea(), DataType.FLOAT, new NoOp());
        MultiLayerNetwork dl4j = network(kind.dl4j(), DataType.FLOAT, new NoOp());
        assertThat(fovea.paramTable().keySet()).isEqualTo(dl4j.paramTable().keySet());
        assertThat(fovea.params()).isEqualTo(dl4j.params());
        for (INDArray mask : new INDArray[] {null, mask(DataType.FLOAT)}) {
            INDArray x = input(DataType.FLOAT, 5);
            assertClose(fovea.output(x, false, mask, null), dl4j.output(x, false, mask, null), 1e-5);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aNetworkLearnsTheSame(Kind kind) {
        for (INDArray mask : new INDArray[] {null, mask(DataType.FLOAT)}) {
            MultiLayerNetwork fovea = network(kind.fovea(), DataType.FLOAT, new Adam(0.01));
            MultiLayerNetwork dl4j = network(kind.dl4j(), DataType.FLOAT, new Adam(0.01));
            dl4j.setParams(fovea.params().dup());
            for (int iteration = 0; iteration < 12; iteration++) {
                DataSet data = new DataSet(input(DataType.FLOAT, iteration % 3), labels(DataType.FLOAT), mask, null);
                fovea.fit(data);
                dl4j.fit(data);
                assertThat(fovea.score()).as("iteration %d", iteration).isCloseTo(dl4j.score(), within(2e-4));
            }
            // Not parameters: where a gradient is as good as zero Adam makes whole steps of what is rounding.
            INDArray other = input(DataType.FLOAT, 77);
            assertClose(fovea.output(other, false, mask, null), dl4j.output(other, false, mask, null), 1e-3);
        }
    }

    private static void assertClose(INDArray found, INDArray expected, double tolerance) {
        assertThat(found.shape()).containsExactly(expected.shape());
        assertThat(found.sub(expected).amaxNumber().doubleValue()).isLessThanOrEqualTo(tolerance);
    }

    @ParameterizedTest
    @EnumSource
    void gradientsPassDl4jsCheck(Kind kind) {
        Nd4j.setDefaultDataTypes(DataType.DOUBLE, DataType.DOUBLE);
        for (INDArray mask : new INDArray[] {null, mask(DataType.DOUBLE)}) {
            check(kind.fovea(), mask);
        }
    }

    @Test
    void gradientsOfCausalAttentionPassDl4jsCheck() {
        Nd4j.setDefaultDataTypes(DataType.DOUBLE, DataType.DOUBLE);
        Layer causal = new FoveaAttentionLayer.Builder()
                .nOut(8)
                .nHeads(2)
                .projectInput(true)
                .causal(true)
                .build();
        check(causal, mask(DataType.DOUBLE));
    }

    private static void check(Layer layer, INDArray mask) {
        assertThat(GradientCheckUtil.checkGradients(new GradientCheckUtil.MLNConfig()
                        .net(network(layer, DataType.DOUBLE, new NoOp()))
                        .input(input(DataType.DOUBLE, 3))
                        .labels(labels(DataType.DOUBLE))
                        .inputMask(mask)
                        .subset(true)
                        .maxPerParam(8)
                        .epsilon(1e-6)
                        .maxRelError(1e-5)
                        .minAbsoluteError(1e-9)
                        .print(GradientCheckUtil.PrintMode.FAILURES_ONLY)))
                .isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void configurationsSurviveJson(Kind kind) {
        MultiLayerConfiguration conf =
                network(kind.fovea(), DataType.FLOAT, new NoOp()).getLayerWiseConfigurations();
        assertThat(MultiLayerConfiguration.fromJson(conf.toJson())).isEqualTo(conf);
        assertThat(MultiLayerConfiguration.fromYaml(conf.toYaml())).isEqualTo(conf);
        for (Kind other : Kind.values()) {
            if (other != kind) {
                assertThat(network(other.fovea(), DataType.FLOAT, new NoOp()).getLayerWiseConfigurations())
                        .isNotEqualTo(conf);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSavedNetworkGoesOnAsItWas(Kind kind, @TempDir Path directory) throws IOException {
        MultiLayerNetwork network = network(kind.fovea(), DataType.FLOAT, new Adam(0.01));
        DataSet data = new DataSet(input(DataType.FLOAT, 1), labels(DataType.FLOAT));
        network.fit(data);
        File file = directory.resolve("network.zip").toFile();
        network.save(file, true);
        MultiLayerNetwork loaded = MultiLayerNetwork.load(file, true);
        assertThat(loaded.output(data.getFeatures())).isEqualTo(network.output(data.getFeatures()));
        network.fit(data);
        loaded.fit(data);
        assertThat(loaded.params()).isEqualTo(network.params());
        assertThat(network.clone().output(data.getFeatures())).isEqualTo(network.output(data.getFeatures()));
    }

    @Test
    void causalOutputsDependOnThePastAlone() {
        MultiLayerConfiguration conf = new NeuralNetConfiguration.Builder()
                .list()
                .layer(new FoveaAttentionLayer.Builder()
                        .nIn(FEATURES)
                        .nOut(4)
                        .nHeads(2)
                        .projectInput(true)
                        .causal(true)
                        .build())
                .build();
        MultiLayerNetwork network = new MultiLayerNetwork(conf);
        network.init();
        INDArray x = Nd4j.randn(DataType.FLOAT, 1, FEATURES, TIME);
        INDArray before = network.output(x).dup();
        x.putScalar(0, 0, TIME - 1, 9);
        INDArray after = network.output(x);
        for (int t = 0; t < TIME; t++) {
            assertThat(after.getDouble(0, 1, t) == before.getDouble(0, 1, t)).isEqualTo(t < TIME - 1);
        }
    }

    /** Arrays of half precision, beside the same network in float32. */
    @Test
    void aNetworkOfHalfPrecisionLearns() {
        MultiLayerNetwork half = network(Kind.PROJECTED.fovea(), DataType.HALF, new Sgd(0.1));
        MultiLayerNetwork single = network(Kind.PROJECTED.fovea(), DataType.FLOAT, new Sgd(0.1));
        single.setParams(half.params().castTo(DataType.FLOAT));
        INDArray x = input(DataType.FLOAT, 1);
        assertClose(half.output(x.castTo(DataType.HALF)).castTo(DataType.FLOAT), single.output(x), 1e-2);
        half.fit(new DataSet(x.castTo(DataType.HALF), labels(DataType.HALF)));
        single.fit(new DataSet(x, labels(DataType.FLOAT)));
        assertClose(half.params().castTo(DataType.FLOAT), single.params(), 1e-2);
    }

    @Test
    void whatDoesNotFitIsNamed() {
        assertThatThrownBy(() -> new FoveaAttentionLayer.Builder()
                        .nIn(4)
                        .nOut(4)
                        .nHeads(2)
                        .build())
                .hasMessageContaining("nHeads is 2")
                .hasMessageContaining("projectInput(true)");
        assertThatThrownBy(() -> new FoveaAttentionLayer.Builder()
                        .nIn(4)
                        .nOut(5)
                        .nHeads(2)
                        .projectInput(true)
                        .build())
                .hasMessageContaining("5")
                .hasMessageContaining("headSize");
        assertThatThrownBy(() -> new FoveaAttentionLayer.Builder().activation(Activation.RELU))
                .hasMessageContaining("ActivationLayer");
        Layer wide = new FoveaAttentionLayer.Builder().nIn(300).nOut(300).build();
        MultiLayerNetwork tooWide = new MultiLayerNetwork(
                new NeuralNetConfiguration.Builder().list().layer(wide).build());
        assertThatThrownBy(tooWide::init).hasMessageContaining("300").hasMessageContaining("256");
        MultiLayerNetwork network = new MultiLayerNetwork(new NeuralNetConfiguration.Builder()
                .list()
                .layer(Kind.PLAIN.fovea())
                .build());
        network.init();
        assertThatThrownBy(() -> network.output(Nd4j.rand(DataType.FLOAT, 2, FEATURES + 1, 3)))
                .hasMessageContaining("[2, 7, 3]")
                .hasMessageContaining("[batch, 6, time]");
    }

    @Test
    void theBenchmarkRuns() {
        LayerBenchmark.Result result = LayerBenchmark.measure(new LayerBenchmark.Extents(2, 3, 6, 2), 1);
        assertThat(result.fovea()).isPositive();
        assertThat(result.dl4j()).isPositive();
        assertThat(result.toString()).startsWith("| 2, 3, 6, 2 |");
    }
}
