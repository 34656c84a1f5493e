// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.nn.Linear;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Hidden tanh layers, which see the current step only. */
final class FeedForwardTrunk implements Trunk {
    private final StepFeatures features;
    private final List<Linear> layers = new ArrayList<>();
    private final int width;
    private final long flops;

    FeedForwardTrunk(
            Parameters parameters, String name, NetworkConfig config, Function<String, StepFeatures> stepFeatures) {
        this.features = stepFeatures.apply(Trunk.nameOf(name, "features"));
        this.width = config.width();
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(new Linear(
                    parameters,
                    Trunk.nameOf(name, Integer.toString(layer)),
                    layer == 0 ? features.size() : width,
                    width,
                    Initializer.orthogonal(Math.sqrt(2)),
                    Activation.TANH));
        }
        this.flops = features.flops() + 2L * (features.size() + (config.layers() - 1L) * width) * width;
    }

    @Override
    public StepFeatures features() {
        return features;
    }

    @Override
    public int size() {
        return width;
    }

    @Override
    public long flops() {
        return flops;
    }

    @Override
    public long activations() {
        return features.activations() + (long) (3.75 * layers.size() * width);
    }

    @Override
    public Context context(int environments, int rolloutSteps, int burnIn) {
        return new Memoryless();
    }

    @Override
    public Tensor replay(StepFeatures.Encoded steps, ReplayListener listener) {
        return apply(steps);
    }

    private Tensor apply(StepFeatures.Encoded steps) {
        Tensor x = steps.features();
        for (Linear layer : layers) {
            x = layer.apply(x);
        }
        return x;
    }

    /** A trunk without memory has nothing to keep. */
    private final class Memoryless implements Context, Player {
        @Override
        public Tensor forward(StepFeatures.Encoded steps, DeviceArray units) {
            return apply(steps);
        }

        @Override
        public Player player(int first, int count, int places) {
            return this;
        }

        @Override
        public void advance() {}

        @Override
        public Map<String, DeviceArray> persistent() {
            return Map.of();
        }

        @Override
        public void close() {}

        @Override
        public void mark(int[] episodeSteps) {}

        @Override
        public void beginSegment() {}

        @Override
        public int origin() {
            return 0;
        }

        @Override
        public Tensor act(StepFeatures.Encoded step, StepClock clock, int from, int to) {
            return apply(step);
        }

        @Override
        public Tensor peek(StepFeatures.Encoded step, StepClock clock) {
            return apply(step);
        }

        @Override
        public List<TableRows> setAside(int from, int to) {
            return List.of();
        }

        @Override
        public Tensor recall(StepFeatures.Encoded steps, StepClock places) {
            return apply(steps);
        }

        @Override
        public void endSegment() {}
    }
}
