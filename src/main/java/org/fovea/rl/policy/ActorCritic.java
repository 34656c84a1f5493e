// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.nn.Linear;
import org.fovea.nn.Mlp;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A network that maps observations to the policy's outputs and to the value of the state: a {@link Trunk}, or one for each, and
 * heads, which are linear unless the value is {@link Critic#DETACHED}. It is applied in a {@link Context}: that of environments whose history it may remember.
 */
public final class ActorCritic {
    private static final double POLICY_GAIN = 0.01;
    private static final double VALUE_GAIN = 1;

    private final Trunk trunk;
    private final Critic critic;

    /** The policy's, if the value has none of its own. */
    private final Trunk valueTrunk;

    private final Linear policyHead;
    private final PolicyOutputs policyOutputs;
    private final UnaryOperator<Tensor> valueHead;
    private final long headFlops;

    /**
     * Declares the parameters of a network, which are yet to be allocated.
     *
     * @param critic not {@link Critic#AUTO}
     * @param features makes the part that sees one step, given the prefix of its parameters' names
     */
    ActorCritic(
            Parameters parameters,
            PolicyKind kind,
            NetworkConfig config,
            Critic critic,
            Function<String, StepFeatures> features,
            PolicyOutputs outputs) {
        boolean separate = critic == Critic.SEPARATE;
        String suffix = separate ? "." + kind.head(config) : "";
        this.critic = critic;
        this.policyOutputs = outputs;
        this.trunk = kind.trunk().create(parameters, separate ? "policy" : kind.sharedTrunk(), config, features);
        int width = trunk.size();
        this.policyHead =
                new Linear(parameters, "policy" + suffix, width, outputs.inputs(), Initializer.orthogonal(POLICY_GAIN));
        this.valueTrunk = separate ? kind.trunk().create(parameters, "value", config, features) : trunk;
        if (critic == Critic.DETACHED) {
            int[] sizes = {width, width, width, 1};
            this.valueHead = new Mlp(parameters, "value", sizes, Activation.TANH, VALUE_GAIN)::apply;
        } else {
            this.valueHead =
                    new Linear(parameters, "value" + suffix, width, 1, Initializer.orthogonal(VALUE_GAIN))::apply;
        }
        long hidden = critic == Critic.DETACHED ? 4L * width * width : 0;
        this.headFlops = 2 * (outputs.inputs() + 1L) * width + outputs.flops() + hidden;
    }

    /**
     * The network with a memory of a number of environments, from segment to segment of {@code rolloutSteps}.
     *
     * @param burnIn steps before a segment through which its memory is recomputed under current parameters, less than
     *     {@code rolloutSteps}; 0 where they don't change in between
     */
    public Context context(int environments, int rolloutSteps, int burnIn) {
        return new Context(
                trunk.context(environments, rolloutSteps, burnIn),
                valueTrunk == trunk ? null : valueTrunk.context(environments, rolloutSteps, burnIn));
    }

    /** Elements per row of {@link Context#valueFeatures}. */
    public int valueFeatureCount() {
        return valueTrunk == trunk ? trunk.size() : valueTrunk.features().inputs();
    }

    /** Steps that must stay together where values are computed of {@link Context#valueFeatures}, as {@link PolicyKind#stepsPerUnit}. */
    public int stepsPerValueUnit(PolicyKind kind, int rolloutSteps) {
        return valueTrunk == trunk ? 1 : kind.stepsPerUnit(rolloutSteps);
    }

    /** Multiply-adds times two of one forward pass for one step. */
    public long flopsPerStep() {
        return trunk.flops() + (valueTrunk == trunk ? 0 : valueTrunk.flops()) + headFlops;
    }

    /** Numbers that a pass over one step in training, and back, takes, as far as is known. */
    long activations() {
        return trunk.activations() + (valueTrunk == trunk ? 0 : valueTrunk.activations()) + policyOutputs.activations();
    }

    /**
     * Both heads.
     *
     * @param policy [rows, outputs of the distribution]
     * @param values [rows, 1]
     */
    public record Outputs(Tensor policy, Tensor values) {
        /** The same where some choices are forbidden; see {@link ActionDistribution#restrict}. */
        public Outputs restricted(ActionDistribution distribution, @Nullable Tensor masks) {
            return masks == null ? this : new Outputs(distribution.restrict(policy, masks), values);
        }
    }

    private Tensor policyOf(Tensor ofPolicy, StepFeatures.Encoded step) {
        return policyOutputs.apply(policyHead.apply(ofPolicy), step);
    }

    /** Outputs of what the policy's trunk made of a step; {@code ofValue} of the value's own trunk, if it has one. */
    private Outputs outputs(Tensor ofPolicy, StepFeatures.Encoded step, @Nullable Tensor ofValue) {
        Tensor ofCritic = switch (critic) {
            case SEPARATE -> Objects.requireNonNull(ofValue);
            case DETACHED -> ofPolicy.detach();
            default -> ofPolicy;
        };
        return new Outputs(policyOf(ofPolicy, step), valueHead.apply(ofCritic));
    }

    /**
     * What it makes of a whole episode, as in play, in one pass.
     *
     * @param observations of the episode's steps from the first on, [steps, size]
     * @param listener told of the attention of the policy's trunk, not of one that the value has for itself
     */
    public Outputs replay(Tensor observations, ReplayListener listener) {
        StepFeatures.Encoded steps = trunk.features().apply(observations, listener);
        Tensor ofPolicy = trunk.replay(steps, listener);
        return outputs(
                ofPolicy,
                steps,
                valueTrunk == trunk
                        ? null
                        : valueTrunk.replay(valueTrunk.features().apply(observations), ReplayListener.NONE));
    }

    /** The network and its memory of a set of environments that are played in segments. */
    public final class Context implements AutoCloseable {
        private final Trunk.Context policy;
        private final Trunk.@Nullable Context value;

        private Context(Trunk.Context policy, Trunk.@Nullable Context value) {
            this.policy = policy;
            this.value = value;
        }

        /**
         * The training pass over some units of the segment played last.
         *
         * @param observations [units * {@link PolicyKind#stepsPerUnit}, size]
         * @param units I32, which units of the rollout these are
         */
        public Outputs forward(Tensor observations, DeviceArray units) {
            StepFeatures.Encoded steps = trunk.features().apply(observations);
            Tensor ofPolicy = policy.forward(steps, units);
            return outputs(
                    ofPolicy,
                    steps,
                    value == null ? null : value.forward(valueTrunk.features().apply(observations), units));
        }

        /** {@link #forward} of the policy alone. */
        public Tensor policy(Tensor observations, DeviceArray units) {
            StepFeatures.Encoded steps = trunk.features().apply(observations);
            return policyOf(policy.forward(steps, units), steps);
        }

        /**
         * The training pass as far as value and policy have parameters in common: what is left is the value's own.
         *
         * @return [rows, valueFeatureCount()]
         */
        public Tensor valueFeatures(Tensor observations, DeviceArray units) {
            return value == null ? policy.forward(trunk.features().apply(observations), units) : observations;
        }

        /**
         * Values of {@link #valueFeatures}, by the value's own parameters; [rows, 1].
         *
         * @param units I32, which units these are, of {@link #stepsPerValueUnit} steps
         */
        public Tensor valuesOf(Tensor features, DeviceArray units) {
            return valueHead.apply(
                    value == null
                            ? features
                            : value.forward(valueTrunk.features().apply(features), units));
        }

        /** The {@link StepClock#positions position} of the first step of a segment. */
        public int origin() {
            return policy.origin();
        }

        /** A view for playing environments {@code [first, first + count)}, for one thread at a time, that sets nothing aside. */
        public Actor actor(int first, int count) {
            return actor(first, count, 0);
        }

        /** The same with places for as many steps as can be set aside at a time; all are recalled at once, whatever is in them. */
        Actor actor(int first, int count, int places) {
            return new Actor(
                    policy.player(first, count, places), value == null ? null : value.player(first, count, places));
        }

        /** Makes what the segment just played left behind the memory of the next. */
        public void advance() {
            policy.advance();
            if (value != null) {
                value.advance();
            }
        }

        /** Arrays that a checkpoint keeps, by name. */
        public Map<String, DeviceArray> persistent() {
            if (value == null) {
                return policy.persistent();
            }
            Map<String, DeviceArray> arrays = new HashMap<>(policy.persistent());
            value.persistent().forEach((name, array) -> arrays.put("value." + name, array));
            return arrays;
        }

        @Override
        public void close() {
            policy.close();
            if (value != null) {
                value.close();
            }
        }
    }

    /** Plays some environments step by step. */
    public final class Actor {
        private final Trunk.Player policy;
        private final Trunk.@Nullable Player value;

        private Actor(Trunk.Player policy, Trunk.@Nullable Player value) {
            this.policy = policy;
            this.value = value;
        }

        /** See {@link Trunk.Player#mark}. */
        void mark(int[] episodeSteps) {
            policy.mark(episodeSteps);
            if (value != null) {
                value.mark(episodeSteps);
            }
        }

        /** See {@link Trunk.Player#beginSegment}. */
        void beginSegment() {
            policy.beginSegment();
            if (value != null) {
                value.beginSegment();
            }
        }

        /**
         * Outputs for what each environment observes, which becomes part of the memory of environments {@code [from, to)}; see
         * {@link Trunk.Player#act}.
         *
         * @param observations [count, size]
         */
        Outputs act(Tensor observations, StepClock clock, int from, int to) {
            StepFeatures.Encoded encoded = trunk.features().apply(observations);
            Tensor ofPolicy = policy.act(encoded, clock, from, to);
            return outputs(
                    ofPolicy,
                    encoded,
                    value == null ? null : value.act(valueTrunk.features().apply(observations), clock, from, to));
        }

        /** The same outputs, without remembering anything. */
        Outputs peek(Tensor observations, StepClock clock) {
            StepFeatures.Encoded encoded = trunk.features().apply(observations);
            Tensor ofPolicy = policy.peek(encoded, clock);
            return outputs(
                    ofPolicy,
                    encoded,
                    value == null ? null : value.peek(valueTrunk.features().apply(observations), clock));
        }

        /** See {@link Trunk.Player#setAside}. */
        List<TableRows> setAside(int from, int to) {
            List<TableRows> tables = new ArrayList<>(policy.setAside(from, to));
            if (value != null) {
                tables.addAll(value.setAside(from, to));
            }
            return tables;
        }

        /** Outputs for the observations of steps that were set aside, one in each place. */
        Outputs recall(Tensor observations, StepClock places) {
            StepFeatures.Encoded encoded = trunk.features().apply(observations);
            Tensor ofPolicy = policy.recall(encoded, places);
            return outputs(
                    ofPolicy,
                    encoded,
                    value == null ? null : value.recall(valueTrunk.features().apply(observations), places));
        }

        /** Ends the segment. */
        public void endSegment() {
            policy.endSegment();
            if (value != null) {
                value.endSegment();
            }
        }
    }
}
