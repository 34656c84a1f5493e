// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepInputs;
import org.fovea.io.TensorData;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Acts in some environments step by step, as {@link PolicyRunner} does, and tells all that the network gives. */
public final class StepwiseAgent implements AutoCloseable {
    private final Agent agent;
    private final Backend backend;
    private final int count;
    private final int segmentSteps;
    private final ActorCritic.Context context;
    private final ActorCritic.Actor actor;
    private final OwnedArrays owned;
    private final StepClock clock;
    private final DeviceArray actions;
    private final DeviceArray tokens;
    private final int[] ages;
    private final int[] episodes;
    private int step;

    /**
     * What came of a step.
     *
     * @param choices [count, parts], if choices are made
     * @param drawn [count, size], if numbers are given
     * @param bounded the same within bounds
     * @param outputs [count, outputs of the distribution], where forbidden ones are hidden
     */
    public record Acted(int[] choices, float[] drawn, float[] bounded, double[] outputs, double[] values) {}

    public StepwiseAgent(Agent agent, int count, int segmentSteps) {
        this.agent = agent;
        this.backend = agent.backend();
        this.count = count;
        this.segmentSteps = segmentSteps;
        this.context = agent.network().context(count, segmentSteps, 0);
        this.actor = context.actor(0, count);
        this.owned = new OwnedArrays(backend.memory());
        this.clock = owned.clock(count);
        ActionDistribution distribution = agent.distribution();
        this.actions = owned.allocate(distribution.actionType(), (long) count * distribution.actionSize());
        this.tokens = owned.floats((long) count * agent.encoder().size());
        this.ages = new int[count];
        this.episodes = new int[count];
    }

    /** The policy as it is kept, with the steps of this as those of a segment. */
    public static SavedPolicy save(
            Agent agent, NetworkConfig network, boolean valueApart, int segmentSteps, Map<String, String> notes) {
        Map<String, TensorData> parameters = new LinkedHashMap<>();
        for (Parameter parameter : agent.parameters().all()) {
            float[] values = new float[(int) parameter.length()];
            agent.backend().memory().download(parameter.value(), values, 0);
            long[] shape = Arrays.stream(parameter.shape()).asLongStream().toArray();
            parameters.put(parameter.name(), TensorData.ofFloats(values, shape));
        }
        Map<String, TensorData> moments = new LinkedHashMap<>();
        agent.observations().moments().forEach((name, of) -> {
            double[] saved = of.save();
            moments.put(SavedPolicy.MOMENTS + name, TensorData.ofDoubles(saved, saved.length));
        });
        return new SavedPolicy(
                agent.spaces(),
                agent.kind(),
                network,
                valueApart,
                agent.observations().enabled(),
                segmentSteps,
                parameters,
                agent.observations().enabled() ? moments : Map.of(),
                notes);
    }

    /**
     * Acts.
     *
     * @param observations [count, size]
     * @param allowed choices, empty where nothing is ever forbidden
     * @param starts whether each environment begins an episode
     */
    public Acted act(float[] observations, boolean[] allowed, boolean[] starts) {
        int inSegment = step % segmentSteps;
        for (int i = 0; i < count; i++) {
            ages[i] = starts[i] ? 1 : ages[i] + 1;
            episodes[i] = inSegment == 0 ? 0 : episodes[i] + (starts[i] ? 1 : 0);
        }
        if (inSegment == 0) {
            if (step > 0) {
                actor.endSegment();
                context.advance();
            }
            actor.mark(Arrays.stream(ages).map(age -> age - 1).toArray());
            actor.beginSegment();
        }
        step++;
        backend.memory().upload(ages, 0, clock.ages());
        backend.memory().upload(episodes, 0, clock.episodes());
        backend.memory().fill(clock.positions(), context.origin() + (double) inSegment);
        ActionDistribution distribution = agent.distribution();
        try (Tape tape = Tape.inference(backend)) {
            DeviceArray shown = tape.allocate(backend.memory().floatType(), observations.length);
            backend.memory().upload(observations, 0, shown);
            StepInputs inputs = new StepInputs(count, shown, actions, clock.ages(), 0, masks(tape, allowed));
            agent.encoder().encode(inputs, tokens);
            Tensor outputs;
            Tensor values;
            ActorCritic.Outputs given =
                    actor.act(tape.constant(tokens, count, agent.encoder().size()), clock, 0, count);
            values = given.values();
            if (distribution.masked()) {
                DeviceArray added = tape.allocate(backend.memory().floatType(), (long) count * distribution.outputs());
                agent.encoder().encodeMasks(inputs, added);
                outputs = distribution.restrict(
                        given.policy(), tape.constant(added, given.policy().shape()));
            } else {
                outputs = given.policy();
            }
            distribution.mostLikely(backend, outputs, actions);
            return acted(outputs.toDoubles(), values.toDoubles());
        }
    }

    private static @Nullable DeviceArray masks(Tape tape, boolean[] allowed) {
        if (allowed.length == 0) {
            return null;
        }
        int[] numbers = new int[allowed.length];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = allowed[i] ? 1 : 0;
        }
        DeviceArray masks = tape.allocate(DType.I32, numbers.length);
        tape.backend().memory().upload(numbers, 0, masks);
        return masks;
    }

    private Acted acted(double[] outputs, double[] values) {
        int size = (int) actions.length();
        ActionBounds bounds = agent.bounds();
        if (bounds == null) {
            int[] choices = new int[size];
            backend.memory().download(actions, choices, 0);
            return new Acted(choices, new float[0], new float[0], outputs, values);
        }
        float[] drawn = new float[size];
        float[] bounded = new float[size];
        backend.memory().download(actions, drawn, 0);
        bounds.apply(drawn, bounded, 0, size);
        return new Acted(new int[0], drawn, bounded, outputs, values);
    }

    @Override
    public void close() {
        context.close();
        owned.close();
    }
}
