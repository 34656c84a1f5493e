// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.io.Checkpoint;
import org.fovea.io.SafeTensors;
import org.fovea.io.SafeTensorsWriter;
import org.fovea.io.TensorData;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;
import org.fovea.rl.config.Hyperparameters;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;

/**
 * A policy as it is kept: all that it takes to act, and no more. A file of one is a safetensors file: the parameters by their names, the
 * moments of observations ({@link RunningMoments#save}), and as metadata what the network is and what it is shown. The checkpoint of a
 * run holds the same under {@code parameter.*} beside the rest of the run.
 *
 * @param segmentSteps steps after which memory is brought up to date, as in training
 * @param parameters of the network, by name
 * @param moments of observations by name, empty where they are not normalised; see {@link ObservationNormalizer#moments}
 * @param notes where it comes from, for people, by key
 */
public record SavedPolicy(
        EnvironmentSpec.Spaces spaces,
        PolicyKind kind,
        NetworkConfig network,
        boolean valueApart,
        boolean normalizesObservations,
        int segmentSteps,
        Map<String, TensorData> parameters,
        Map<String, TensorData> moments,
        Map<String, String> notes) {
    /** What a name of a parameter begins with in the checkpoint of a run. */
    public static final String PARAMETER = "parameter.";

    /** What a name of moments begins with. */
    public static final String MOMENTS = "observation_moments";

    private static final String FORMAT = "format";
    private static final String FORMAT_NAME = "fovea.policy";
    private static final String VERSION = "format_version";

    /** One more whenever an older reader would act differently on what a newer writer wrote. */
    private static final int CURRENT = 1;

    /** Steps and units that no policy has more of. */
    private static final int LONGEST = 1 << 20;

    /** A longer name is shortened where it is shown. */
    private static final int LONGEST_NAME = 100;

    private static final String CONFIG = "config.";
    private static final String NORMALIZE = CONFIG + "normalize_observations";
    private static final String SEGMENT = CONFIG + "rollout_steps";
    private static final List<String> NOTED = List.of("environment", "algorithm", "trained_steps", "score");

    /** The policy of an agent as it is. */
    public static SavedPolicy of(
            Agent agent, NetworkConfig network, boolean valueApart, int segmentSteps, Map<String, String> notes) {
        Map<String, TensorData> parameters = new TreeMap<>();
        for (Parameter parameter : agent.parameters().all()) {
            float[] values = new float[Math.toIntExact(parameter.length())];
            agent.backend().memory().download(parameter.value(), values, 0);
            long[] shape =
                    Arrays.stream(parameter.shape()).mapToLong(size -> size).toArray();
            parameters.put(parameter.name(), TensorData.ofFloats(values, shape));
        }
        boolean normalizes = agent.observations().enabled();
        Map<String, TensorData> moments = new TreeMap<>();
        if (normalizes) {
            agent.observations().moments().forEach((name, of) -> {
                double[] saved = of.save();
                moments.put(MOMENTS + name, TensorData.ofDoubles(saved, saved.length));
            });
        }
        return new SavedPolicy(
                agent.spaces(),
                agent.kind(),
                network,
                valueApart,
                normalizes,
                segmentSteps,
                parameters,
                moments,
                notes);
    }

    /** A policy before its first update, of a seed. */
    public static SavedPolicy random(
            Backend backend, EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig network, long seed) {
        try (Agent agent = Agent.create(backend, spaces, kind, network, false, false, seed)) {
            return of(agent, network, false, RolloutConfig.BASE.rolloutSteps(), Map.of());
        }
    }

    /** What a file says of the policy besides its tensors. */
    public Map<String, String> metadata() {
        Map<String, String> metadata = new LinkedHashMap<>(notes);
        metadata.put(FORMAT, FORMAT_NAME);
        metadata.putAll(describe(spaces, valueApart));
        metadata.put("policy", kind.toString());
        Hyperparameters.read(network).forEach((name, value) -> metadata.put(CONFIG + name, value));
        metadata.put(NORMALIZE, Boolean.toString(normalizesObservations));
        metadata.put(SEGMENT, Integer.toString(segmentSteps));
        return metadata;
    }

    /** What the checkpoint of a run says besides its settings, so that its policy can act where the environment is unknown. */
    public static Map<String, String> describe(EnvironmentSpec.Spaces spaces, boolean valueApart) {
        Map<String, String> described = new LinkedHashMap<>();
        described.put(VERSION, Integer.toString(CURRENT));
        described.put("observation_space", SpaceText.write(spaces.observations()));
        described.put("action_space", SpaceText.write(spaces.actions()));
        described.put("masked", Boolean.toString(spaces.masked()));
        described.put("value_apart", Boolean.toString(valueApart));
        return described;
    }

    /** The hyper-parameters under which a run has such a policy, by name. */
    public Map<String, String> hyperparameters() {
        Map<String, String> settings = new LinkedHashMap<>(Hyperparameters.read(network));
        settings.put(
                "critic",
                network.critic().resolved(kind.remembers(), valueApart).name().toLowerCase(Locale.ROOT));
        settings.put("normalize_observations", Boolean.toString(normalizesObservations));
        return settings;
    }

    /** Numbers that were learned. */
    public long parameterCount() {
        return parameters.values().stream().mapToLong(TensorData::elements).sum();
    }

    /** Parameters and moments by name, as {@link #write} writes them. */
    public Map<String, TensorData> tensors() {
        Map<String, TensorData> tensors = new TreeMap<>(parameters);
        tensors.putAll(moments);
        return tensors;
    }

    /** Writes it to a file, which is there only when it is complete. */
    public void write(Path file) throws IOException {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        Map<String, TensorData> tensors = tensors();
        tensors.forEach((name, tensor) -> infos.put(name, new TensorInfo(tensor.type(), tensor.shape())));
        try (SafeTensorsWriter writer = SafeTensorsWriter.create(file, infos, metadata())) {
            for (Map.Entry<String, TensorData> tensor : tensors.entrySet()) {
                ByteBuffer bytes = tensor.getValue().data();
                writer.write(tensor.getKey(), 0, bytes);
            }
            writer.commit();
        }
    }

    /**
     * Reads the file of a policy.
     *
     * @throws org.fovea.io.CorruptFileException if it is damaged
     * @throws IOException if it is not that of a policy, or of a newer version
     */
    public static SavedPolicy read(Path file) throws IOException {
        SafeTensors.Contents contents = SafeTensors.read(file);
        if (!FORMAT_NAME.equals(contents.metadata().get(FORMAT))) {
            throw new IOException(file + " is no policy: its metadata lack format=" + FORMAT_NAME
                    + ", which fovea export writes" + " (fovea export RUN_DIR --safetensors FILE)");
        }
        return restore(file.toString(), "", contents.tensors(), contents.metadata());
    }

    /**
     * The policy of a run's checkpoint.
     *
     * @param runDirectory for messages
     * @throws IOException if it is of a version that did not say what it takes to act, or of a newer one
     */
    public static SavedPolicy of(Path runDirectory, Checkpoint checkpoint) throws IOException {
        Map<String, String> metadata = new LinkedHashMap<>(checkpoint.metadata());
        if (!metadata.containsKey("observation_space")) {
            throw new IOException("the run in " + runDirectory
                    + " is of an earlier version of Fovea, which did not keep"
                    + " what a policy is shown: fovea export " + runDirectory + " --safetensors FILE makes a file that"
                    + " can be loaded, where the environment is known");
        }
        metadata.put("trained_steps", Long.toString(checkpoint.step()));
        return restore("the run in " + runDirectory, PARAMETER, checkpoint.tensors(), metadata);
    }

    private static SavedPolicy restore(
            String where, String prefix, Map<String, TensorData> tensors, Map<String, String> metadata)
            throws IOException {
        requireVersion(where, metadata);
        try {
            Map<String, String> network = new LinkedHashMap<>();
            for (String name : Hyperparameters.read(NetworkConfig.BASE).keySet()) {
                network.put(name, required(metadata, CONFIG + name));
            }
            SavedPolicy policy = new SavedPolicy(
                    new EnvironmentSpec.Spaces(
                            space(metadata, "observation_space"),
                            space(metadata, "action_space"),
                            truth(metadata, "masked")),
                    PolicyKind.of(required(metadata, "policy")),
                    Hyperparameters.replace(NetworkConfig.BASE, network),
                    truth(metadata, "value_apart"),
                    truth(metadata, NORMALIZE),
                    Integer.parseInt(required(metadata, SEGMENT)),
                    new TreeMap<>(),
                    new TreeMap<>(),
                    notes(metadata));
            policy.take(prefix, tensors);
            policy.requireSizes();
            return policy;
        } catch (IOException | IllegalArgumentException e) {
            throw new IOException(where + " cannot be loaded as a policy: " + e.getMessage(), e);
        }
    }

    private static void requireVersion(String where, Map<String, String> metadata) throws IOException {
        String version = metadata.getOrDefault(VERSION, "none");
        if (!version.matches("[1-9]\\d{0,8}")) {
            throw new IOException(where + " cannot be loaded as a policy: its " + VERSION + " is " + version
                    + ", expected a number up to " + CURRENT);
        }
        if (Integer.parseInt(version) > CURRENT) {
            throw new IOException(where + " is of format " + version + ", and this version of Fovea reads those up to "
                    + CURRENT + ": load it with the version that wrote it, or export it there again");
        }
    }

    private static Map<String, String> notes(Map<String, String> metadata) {
        Map<String, String> notes = new LinkedHashMap<>();
        for (String key : NOTED) {
            String note = metadata.get(key);
            if (note != null) {
                notes.put(key, note);
            }
        }
        return notes;
    }

    private static String required(Map<String, String> metadata, String key) throws IOException {
        String value = metadata.get(key);
        if (value == null) {
            throw new IOException("its metadata lack '" + key + "'");
        }
        return value;
    }

    private static boolean truth(Map<String, String> metadata, String key) throws IOException {
        String value = required(metadata, key);
        if (!value.equals("true") && !value.equals("false")) {
            throw new IOException("'" + key + "' must be true or false, is '" + value + "'");
        }
        return value.equals("true");
    }

    private static Space space(Map<String, String> metadata, String key) throws IOException {
        try {
            return SpaceText.read(required(metadata, key));
        } catch (IOException e) {
            throw new IOException("'" + key + "': " + e.getMessage(), e);
        }
    }

    /** That nothing is so large that a hostile file could fill the memory by a number alone. */
    private void requireSizes() throws IOException {
        requireAtMost("layers", network.layers(), parameters.size());
        requireAtMost("entity_layers", network.entityLayers(), Math.max(parameters.size(), 1));
        requireAtMost("window", network.window(), LONGEST);
        requireAtMost("rollout_steps", segmentSteps, LONGEST);
        requireAtMost("width", network.width(), LONGEST);
    }

    private static void requireAtMost(String name, int value, int most) throws IOException {
        if (value < 1 || value > most) {
            throw new IOException("'" + CONFIG + name + "' is " + value + ", expected 1 to " + most);
        }
    }

    /** Takes the tensors that are the policy's own. */
    private void take(String prefix, Map<String, TensorData> tensors) {
        tensors.forEach((name, tensor) -> {
            if (name.startsWith(MOMENTS)) {
                if (normalizesObservations) {
                    moments.put(name, tensor);
                }
            } else if (name.startsWith(prefix)) {
                parameters.put(name.substring(prefix.length()), tensor);
            }
        });
    }

    /**
     * A policy with these parameters on a device.
     *
     * @throws IOException if tensors are missing or of other shapes than the network's, naming each
     */
    public Agent createAgent(Backend backend) throws IOException {
        requireFit(Agent.declare(backend, spaces, kind, network, valueApart));
        Agent agent = Agent.create(backend, spaces, kind, network, valueApart, normalizesObservations, 0);
        try {
            copyTo(agent);
            return agent;
        } catch (IOException | RuntimeException | Error failure) {
            try (agent) {
                throw failure;
            }
        }
    }

    private void requireFit(Parameters declared) throws IOException {
        List<String> misfits = misfits(declared);
        if (!misfits.isEmpty()) {
            throw new IOException("the policy's tensors are not those of its network: " + String.join("; ", misfits));
        }
    }

    /**
     * What of this does not fit the parameters of a network, which need not be allocated: names and shapes, both sides of each; empty
     * if all of it does.
     */
    public List<String> misfits(Parameters declared) {
        List<String> misfits = new ArrayList<>();
        Map<String, TensorData> left = new TreeMap<>(parameters);
        for (Parameter parameter : declared.all()) {
            String expected = Arrays.toString(parameter.shape());
            TensorData given = left.remove(parameter.name());
            if (given == null) {
                misfits.add(parameter.name() + " " + expected + " is missing");
            } else if (!Arrays.toString(given.shape()).equals(expected)) {
                misfits.add(
                        parameter.name() + " is " + Arrays.toString(given.shape()) + " and in the network " + expected);
            } else if (given.type() != TensorType.F32 && given.type() != TensorType.F64) {
                misfits.add(parameter.name() + " is of type " + given.type() + ", expected F32 or F64");
            } else if (!isFinite(given)) {
                misfits.add(parameter.name() + " has a number that is NaN or infinite");
            }
        }
        left.forEach((name, tensor) -> misfits.add(shown(name) + " " + Arrays.toString(tensor.shape())
                + " is there, and in the network nothing of that name"));
        return misfits;
    }

    /** A name of the file's for a message, without what a terminal would take for a command. */
    private static String shown(String name) {
        String printable = name.replaceAll("\\p{Cntrl}", "?");
        return printable.length() <= LONGEST_NAME ? printable : printable.substring(0, LONGEST_NAME) + "...";
    }

    private static boolean isFinite(TensorData tensor) {
        for (double number : doubles(tensor)) {
            if (!Double.isFinite(number)) {
                return false;
            }
        }
        return true;
    }

    private static double[] doubles(TensorData tensor) {
        if (tensor.type() == TensorType.F64) {
            return tensor.toDoubles();
        }
        float[] floats = tensor.toFloats();
        double[] doubles = new double[floats.length];
        for (int i = 0; i < doubles.length; i++) {
            doubles[i] = floats[i];
        }
        return doubles;
    }

    /**
     * Gives parameters, which {@linkplain #misfits fit}, and moments to an agent; its moments stay as they are where this has none.
     *
     * @throws IOException if the moments are of other observations
     */
    public void copyTo(Agent agent) throws IOException {
        for (Parameter parameter : agent.parameters().all()) {
            TensorData tensor = Objects.requireNonNull(parameters.get(parameter.name()));
            if (tensor.type() == TensorType.F64) {
                agent.backend().memory().upload(tensor.toDoubles(), 0, parameter.value());
            } else {
                agent.backend().memory().upload(tensor.toFloats(), 0, parameter.value());
            }
        }
        if (!agent.observations().enabled() || !normalizesObservations) {
            return;
        }
        for (Map.Entry<String, RunningMoments> of :
                agent.observations().moments().entrySet()) {
            String name = MOMENTS + of.getKey();
            TensorData saved = moments.get(name);
            int expected = of.getValue().save().length;
            if (saved == null || saved.type() != TensorType.F64 || saved.elements() != expected || !isFinite(saved)) {
                throw new IOException("the policy's " + name + " is " + (saved == null ? "missing" : saved)
                        + ", expected finite numbers F64[" + expected + "]");
            }
            of.getValue().restore(saved.toDoubles());
        }
        agent.observations().refresh();
    }
}
