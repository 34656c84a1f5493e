// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.UnknownNameException;
import org.fovea.io.Checkpoint;
import org.fovea.io.DurableFiles;
import org.fovea.io.TensorData;
import org.fovea.io.TensorType;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.RunningMoments;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.tensor.Parameter;
import org.jspecify.annotations.Nullable;

/** The newest checkpoint of a run, and what a run is saved as. */
public final class SavedRun {
    private static final String ITERATION = "iteration";
    private static final String ENVIRONMENTS = "environments.bin";
    private static final String EPISODES = "episodes.bin";

    private final Path runDirectory;
    private final Checkpoint checkpoint;
    private final RunSpec spec;

    private SavedRun(Path runDirectory, Checkpoint checkpoint, @Nullable String environment) throws IOException {
        this.runDirectory = runDirectory;
        this.checkpoint = checkpoint;
        Map<String, String> saved = new LinkedHashMap<>(checkpoint.metadata());
        if (environment != null) {
            saved.put(RunSpec.ENVIRONMENT, environment);
        }
        try {
            this.spec = RunSpec.restore(saved);
        } catch (UnknownNameException e) {
            throw new UnknownNameException(
                    e,
                    "; one of your own is found by the name of its class, FOVEA_CLASSPATH=DIRECTORY_OR_JAR ./fovea eval "
                            + runDirectory + " --env CLASS, or where its class registers it: ./fovea --main CLASS eval "
                            + runDirectory + " (or train --resume --out " + runDirectory
                            + "), with a main that hands its arguments to Fovea.main, or where an EnvironmentProvider on"
                            + " FOVEA_CLASSPATH names it");
        } catch (IllegalArgumentException e) {
            throw new IOException("the run in " + runDirectory + " cannot be loaded: " + e.getMessage(), e);
        }
    }

    /**
     * Reads the newest checkpoint of a run.
     *
     * @throws org.fovea.io.CorruptFileException if it is damaged; the message says which file, and what to do
     * @throws IOException if there is none, or it is of another version of the program
     */
    public static SavedRun load(Path runDirectory) throws IOException {
        return load(runDirectory, null);
    }

    /**
     * The same, with another environment in place of the one that it was trained on.
     *
     * @param environment null for that one
     */
    public static SavedRun load(Path runDirectory, @Nullable String environment) throws IOException {
        return new SavedRun(runDirectory, Checkpoint.load(runDirectory), environment);
    }

    /** {@link #loadBest(Path, String)} on the environment that it was trained on. */
    public static SavedRun loadBest(Path runDirectory) throws IOException {
        return loadBest(runDirectory, null);
    }

    /**
     * Reads the checkpoint of the policy that evaluations during training found to be the best.
     *
     * @param environment in place of the one that it was trained on, null for that one
     * @throws IOException if there is none
     */
    public static SavedRun loadBest(Path runDirectory, @Nullable String environment) throws IOException {
        return load(bestOf(runDirectory), environment);
    }

    private static Path bestOf(Path runDirectory) throws IOException {
        Path best = runDirectory.resolve(RunFiles.BEST);
        if (Checkpoint.latest(best).isEmpty()) {
            throw new IOException("the run in " + runDirectory
                    + " has no best policy, since it was not evaluated while it was trained (train --eval-every)");
        }
        return best;
    }

    /**
     * The policy of a run, whose environment need not be known: the newest, or the best by evaluations during training.
     *
     * @throws org.fovea.io.CorruptFileException if the checkpoint is damaged
     * @throws IOException if there is none
     */
    public static SavedPolicy policy(Path runDirectory, boolean best) throws IOException {
        Path directory = best ? bestOf(runDirectory) : runDirectory;
        Checkpoint checkpoint = Checkpoint.load(directory);
        return checkpoint.metadata().containsKey("observation_space")
                ? SavedPolicy.of(runDirectory, checkpoint)
                : SavedPolicy.of(runDirectory, new SavedRun(directory, checkpoint, null).described());
    }

    /** The checkpoint of an earlier version, with what it lacks for {@link SavedPolicy}. */
    private Checkpoint described() {
        Map<String, String> metadata = new LinkedHashMap<>(checkpoint.metadata());
        metadata.putAll(spec.save());
        EnvironmentSpec.Spaces spaces = Environments.get(spec.environment()).spaces();
        metadata.putAll(SavedPolicy.describe(spaces, spec.config().valueApart()));
        return new Checkpoint(checkpoint.step(), checkpoint.tensors(), metadata, checkpoint.files());
    }

    /**
     * Deletes what was kept as the best by steps that the run, gone on with from an earlier checkpoint, has yet to take.
     *
     * @return the best that remains
     */
    static TrainResult.Best keepBestUntil(Path runDirectory, long steps) throws IOException {
        Path directory = runDirectory.resolve(RunFiles.BEST);
        for (Optional<Path> newest = Checkpoint.latest(directory);
                newest.isPresent();
                newest = Checkpoint.latest(directory)) {
            Checkpoint checkpoint = Checkpoint.load(directory);
            if (checkpoint.step() <= steps) {
                return TrainResult.Best.restore(checkpoint.metadata());
            }
            DurableFiles.deleteTree(newest.get());
        }
        return TrainResult.Best.NONE;
    }

    /** What the run trains. */
    public RunSpec spec() {
        return spec;
    }

    /** Iterations done. */
    public long iteration() {
        return Long.parseLong(checkpoint.metadata().getOrDefault(ITERATION, "0"));
    }

    /** Steps taken, by all environments together. */
    public long steps() {
        return iteration() * spec.stepsPerIteration();
    }

    /** Evaluations that are played while it is trained. */
    public EvaluationPlan evaluations() {
        return EvaluationPlan.restore(checkpoint.metadata());
    }

    /** What was changed when it was resumed, in order. */
    public List<SettingChange> changes() {
        return SettingChange.restore(checkpoint.metadata());
    }

    /**
     * What the run trains if it goes on with other settings.
     *
     * @param steps null for those that it has
     * @throws IllegalArgumentException for what a run cannot change
     */
    public RunSpec specWith(@Nullable Long steps, Map<String, String> hyperparameters) {
        RunSpec changed = spec.with(hyperparameters).withSteps(steps == null ? spec.steps() : steps);
        SettingChange.between(spec, changed, steps());
        return changed;
    }

    /**
     * Saves a run. Called by all members: what differs between them comes together, and the first writes all of it.
     *
     * @param more metadata, by key
     */
    static void save(TrainingState state, Path runDirectory, Map<String, String> more) throws IOException {
        byte[][] ofMembers = state.spec().groups() == 1
                ? new byte[0][]
                : state.collective().gather(write(out -> MemberState.save(state, out)));
        if (state.collective().rank() > 0) {
            return;
        }
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        for (Parameter parameter : state.agent().parameters().all()) {
            tensors.put(
                    SavedPolicy.PARAMETER + parameter.name(),
                    download(state.backend(), parameter.value(), parameter.shape()));
        }
        arrays(state)
                .forEach((name, array) -> tensors.put(name, download(state.backend(), array, (int) array.length())));
        moments(state).forEach((name, moments) -> {
            double[] saved = moments.save();
            tensors.put(name, TensorData.ofDoubles(saved, saved.length));
        });
        Map<String, String> metadata = new LinkedHashMap<>(state.spec().save());
        metadata.putAll(spaces(state.agent()));
        metadata.putAll(SavedPolicy.describe(
                state.agent().spaces(), state.spec().config().valueApart()));
        metadata.putAll(more);
        metadata.put(ITERATION, Long.toString(state.iteration()));
        Map<String, byte[]> files = new LinkedHashMap<>();
        if (ofMembers.length == 0) {
            files.put(ENVIRONMENTS, write(state.collector()::saveEnvironments));
        }
        for (int member = 0; member < ofMembers.length; member++) {
            files.put(MemberState.file(member), ofMembers[member]);
        }
        files.put(EPISODES, write(state.collector().episodes()::saveState));
        Checkpoint.save(runDirectory, state.iteration() * state.spec().stepsPerIteration(), tensors, metadata, files);
    }

    /** Whether the run, gone on with as {@code changed}, begins new episodes, since its memory was kept for another burn-in. */
    public boolean startsEpisodesAfresh(RunSpec changed) {
        return changed.config().rollout().burnIn() != spec.config().rollout().burnIn();
    }

    /** Puts a newly created run where the saved one was. */
    void restore(TrainingState state) throws IOException {
        restore(state.agent());
        upload(state.backend(), state.learner().persistent());
        for (Map.Entry<String, RunningMoments> entry : moments(state).entrySet()) {
            entry.getValue().restore(tensor(entry.getKey()).toDoubles());
        }
        long runStep = iteration() * spec.config().rollout().rolloutSteps();
        if (startsEpisodesAfresh(state.spec())) {
            state.collector().restart(runStep);
        } else {
            if (state.spec().groups() == 1) {
                upload(state.backend(), state.context().persistent());
                read(ENVIRONMENTS, in -> state.collector().restoreEnvironments(in, runStep));
            } else {
                read(MemberState.file(state.collective().rank()), in -> MemberState.restore(state, in, runStep));
            }
        }
        read(EPISODES, state.collector().episodes()::restoreState);
        state.resumeAt(iteration());
    }

    /** Gives an agent the saved parameters and observation statistics. */
    void restore(Agent agent) throws IOException {
        for (Map.Entry<String, String> space : spaces(agent).entrySet()) {
            String saved = checkpoint.metadata().getOrDefault(space.getKey(), space.getValue());
            if (!saved.equals(space.getValue())) {
                throw new IOException("the run in " + runDirectory + " cannot be loaded: the " + space.getKey()
                        + " space of " + spec.environment() + " was " + saved + " when it was trained, and is "
                        + space.getValue() + " now");
            }
        }
        for (Parameter parameter : agent.parameters().all()) {
            upload(agent.backend(), SavedPolicy.PARAMETER + parameter.name(), parameter.value());
        }
        for (Map.Entry<String, RunningMoments> entry :
                agent.observations().moments().entrySet()) {
            entry.getValue()
                    .restore(tensor(SavedPolicy.MOMENTS + entry.getKey()).toDoubles());
        }
        agent.observations().refresh();
    }

    /** What the policy is shown and gives, as text. */
    private static Map<String, String> spaces(Agent agent) {
        return Map.of(
                "observation", agent.spaces().observations().toString(),
                "action", agent.spaces().actions().toString());
    }

    private static Map<String, DeviceArray> arrays(TrainingState state) {
        Map<String, DeviceArray> arrays = new LinkedHashMap<>();
        arrays.putAll(state.learner().persistent());
        if (state.spec().groups() == 1) {
            arrays.putAll(state.context().persistent());
        }
        return arrays;
    }

    private static Map<String, RunningMoments> moments(TrainingState state) {
        Map<String, RunningMoments> moments = new LinkedHashMap<>();
        state.agent().observations().moments().forEach((name, of) -> moments.put(SavedPolicy.MOMENTS + name, of));
        moments.put("return_moments", state.collector().returnMoments());
        return moments;
    }

    private static TensorData download(Backend backend, DeviceArray array, int... shape) {
        long[] sizes = new long[shape.length];
        for (int axis = 0; axis < shape.length; axis++) {
            sizes[axis] = shape[axis];
        }
        if (array.dtype() == DType.F64) {
            double[] values = new double[Math.toIntExact(array.length())];
            backend.memory().download(array, values, 0);
            return TensorData.ofDoubles(values, sizes);
        }
        float[] values = new float[Math.toIntExact(array.length())];
        backend.memory().download(array, values, 0);
        return TensorData.ofFloats(values, sizes);
    }

    private void upload(Backend backend, Map<String, DeviceArray> arrays) throws IOException {
        for (Map.Entry<String, DeviceArray> entry : arrays.entrySet()) {
            upload(backend, entry.getKey(), entry.getValue());
        }
    }

    private void upload(Backend backend, String name, DeviceArray target) throws IOException {
        TensorData saved = tensor(name);
        if (saved.elements() != target.length()) {
            throw new IOException("the run in " + runDirectory + " cannot be loaded: its tensor " + name + " has "
                    + saved.elements() + " elements, expected " + target.length());
        }
        if (saved.type() == TensorType.F64) {
            backend.memory().upload(saved.toDoubles(), 0, target);
        } else {
            backend.memory().upload(saved.toFloats(), 0, target);
        }
    }

    private TensorData tensor(String name) throws IOException {
        TensorData saved = checkpoint.tensors().get(name);
        if (saved == null) {
            throw new IOException(
                    "the run in " + runDirectory + " cannot be loaded: its checkpoint has no tensor " + name);
        }
        return saved;
    }

    private interface Writer {
        void write(DataOutputStream out) throws IOException;
    }

    private interface Reader {
        void read(DataInputStream in) throws IOException;
    }

    private static byte[] write(Writer writer) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            writer.write(out);
        }
        return bytes.toByteArray();
    }

    private void read(String file, Reader reader) throws IOException {
        byte[] bytes = checkpoint.files().get(file);
        if (bytes == null) {
            throw new IOException(
                    "the run in " + runDirectory + " cannot be resumed: its checkpoint has no file " + file
                            + ", unlike those of this version of Fovea; its policy can be played by eval, but not trained further");
        }
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            reader.read(in);
        }
    }
}
