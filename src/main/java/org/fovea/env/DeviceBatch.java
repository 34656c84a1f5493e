// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.EnvironmentActions;
import org.fovea.backend.rl.EnvironmentCopies;
import org.fovea.backend.rl.StepArrays;
import org.jspecify.annotations.Nullable;

/**
 * Environments that a kernel steps on the device, by the {@link DeviceForm} of a {@link BatchedEnvironment}. That stays beside it:
 * it starts episodes, and its state is the one that is saved, so that a run goes on on either.
 *
 * <p>Two ways to step: {@link #step}, as any batch, with the outcome brought to the host; or on the device alone, {@link #upload}
 * before some steps, {@link #launch} for each, which may be captured, and {@link #stepped} when that was replayed.
 */
public final class DeviceBatch implements VectorEnvironment {
    private final Backend backend;
    private final BatchedEnvironment host;
    private final DeviceState transfer;
    private final EnvironmentCopies<DeviceArray> copies;
    private final List<DeviceArray> owned = new ArrayList<>();
    private final int[] choicesOfAction;
    private final Schema schema;

    /** What the last step ended, as it comes from the device. */
    private final int[] ended;

    /** Where the newer state is, if it differs. */
    private boolean hostIsNewer;

    private boolean deviceIsNewer;
    private boolean isChecked;

    /** Of steps whose outcome goes to the host; null before the first. */
    private @Nullable StepArrays<DeviceArray> arrays;

    private @Nullable EnvironmentActions<DeviceArray> taken;

    /**
     * Batches of as many environments.
     *
     * @throws InvalidEnvironmentException if it has no device form, or too large a one
     */
    public static List<VectorEnvironment> createAll(Backend backend, EnvironmentSpec spec, int... counts) {
        List<VectorEnvironment> batches = new ArrayList<>(spec.createAll(counts));
        try {
            for (int i = 0; i < batches.size(); i++) {
                BatchedEnvironment host = BatchedEnvironment.within(batches.get(i));
                DeviceForm form = host == null ? null : host.deviceForm();
                if (host == null || form == null) {
                    throw new InvalidEnvironmentException(spec.name() + " has no device form");
                }
                batches.set(i, new DeviceBatch(backend, host, form));
            }
            return batches;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(batches, failure);
            throw failure;
        }
    }

    private DeviceBatch(Backend backend, BatchedEnvironment host, DeviceForm form) {
        this.backend = backend;
        this.host = host;
        schema = Schema.of(host.observationSpace());
        choicesOfAction = Schema.of(host.actionSpace()).choices();
        transfer = new DeviceState(host);
        ended = new int[host.count()];
        try {
            List<DeviceArray> tables = new ArrayList<>();
            for (StateVariable table : transfer.tables()) {
                tables.add(allocate(DType.I32, transfer.length(table)));
            }
            copies = new EnvironmentCopies<>(
                    form.kernel(),
                    host.count(),
                    transfer.stateBytes(),
                    allocate(DType.I32, transfer.length()),
                    tables,
                    form.constantWords(),
                    form.constantBytes(),
                    host.timeLimit(),
                    maskedChoices());
        } catch (RuntimeException | Error e) {
            owned.forEach(DeviceArray::release);
            throw e;
        }
    }

    /** Choices of all parts of an action together, where some are forbidden in some states, else 0. */
    private int maskedChoices() {
        return host.newActionMasks().length / host.count();
    }

    private DeviceArray allocate(DType type, long length) {
        DeviceArray array = backend.memory().allocate(type, length);
        owned.add(array);
        return array;
    }

    /** Steps after which an episode is cut, at the earliest. */
    public int timeLimit() {
        return copies.timeLimit();
    }

    /** Brings the state to the device, if it was reset or restored since. Not while a step is captured. */
    public void upload() {
        host.requireStarted();
        if (hostIsNewer) {
            transfer.upload(backend.memory(), copies);
            hostIsNewer = false;
        }
    }

    /**
     * Lets the device take a step, after {@link #upload}.
     *
     * @param result written; what is observed and allowed before the first step, {@link #reset} and {@link #actionMasks} say
     */
    public void launch(EnvironmentActions<DeviceArray> actions, StepArrays<DeviceArray> result) {
        backend.environments().step(copies, actions, result);
        stepped();
    }

    /** Says that a captured {@link #launch} was replayed. */
    public void stepped() {
        deviceIsNewer = true;
    }

    /**
     * Looks whether an environment has given a number that isn't finite, since the state was uploaded; waits for the device.
     *
     * @throws EnvironmentException if so, with the first environment that did, and when
     */
    public void check() {
        int[] header = new int[EnvironmentCopies.HEADER_WORDS];
        backend.memory().download(copies.state().slice(0, header.length), header, 0);
        int stateBytes = header[EnvironmentCopies.EXPECTED_STATE_BYTES];
        int constantBytes = header[EnvironmentCopies.EXPECTED_CONSTANT_BYTES];
        if (stateBytes + constantBytes > 0) {
            throw new InvalidEnvironmentException(host.name() + ": State and Constants of the kernel "
                    + copies.kernel() + " have " + stateBytes + " and " + constantBytes
                    + " bytes, the class in Java has "
                    + copies.stateBytes() + " and " + copies.constantBytes() + "; both must have the same variables");
        }
        if (header[EnvironmentCopies.FAILURES] > 0) {
            throw failure();
        }
    }

    private EnvironmentException failure() {
        download();
        int first = -1;
        for (int i = 0; i < count(); i++) {
            boolean failed = transfer.downloaded(EnvironmentCopies.FAILED_ELEMENT, i) != EnvironmentCopies.NOT_FAILED;
            if (failed && (first < 0 || failedAge(i) < failedAge(first))) {
                first = i;
            }
        }
        int element = transfer.downloaded(EnvironmentCopies.FAILED_ELEMENT, first);
        String what = element == EnvironmentCopies.REWARD
                ? "the reward"
                : "the observation, element " + schema.element(element) + ",";
        return new EnvironmentException(host.name() + ": environment " + (host.firstIndex() + first) + ", step "
                + failedAge(first) + " on the device: " + what + " is not finite");
    }

    private int failedAge(int i) {
        return transfer.downloaded(EnvironmentCopies.FAILED_AGE, i);
    }

    private void download() {
        transfer.download(backend.memory(), copies);
        deviceIsNewer = false;
    }

    /** Makes the host's state the newer one, or as new. */
    private void bringToHost() {
        if (deviceIsNewer) {
            download();
        }
    }

    private StepArrays<DeviceArray> newArrays() {
        DType numbers = backend.memory().floatType();
        int count = host.count();
        int size = host.observationSpace().size();
        return new StepArrays<>(
                count,
                size,
                allocate(numbers, (long) count * size),
                allocate(numbers, count),
                allocate(DType.I32, count),
                allocate(DType.I32, count),
                allocate(numbers, (long) count * size),
                copies.maskedChoices() == 0 ? null : allocate(DType.I32, (long) count * copies.maskedChoices()));
    }

    private EnvironmentActions<DeviceArray> newActions() {
        boolean chooses = choicesOfAction.length > 0;
        int size = chooses ? choicesOfAction.length : host.actionSpace().size();
        DType type = chooses ? DType.I32 : backend.memory().floatType();
        return new EnvironmentActions<>(size, allocate(type, (long) host.count() * size), null, false);
    }

    /**
     * Brings state and actions to the device, for {@link #repeat}.
     *
     * @param choices [count, parts of an action], empty where an action is numbers
     * @param values [count, action size], else empty
     */
    public void give(int[] choices, float[] values) {
        Memory memory = backend.memory();
        upload();
        if (arrays == null || taken == null) {
            arrays = newArrays();
            taken = newActions();
        }
        if (choicesOfAction.length > 0) {
            memory.upload(choices, 0, taken.taken());
        } else {
            memory.upload(values, 0, taken.taken());
        }
    }

    /** Takes {@code steps} steps by the actions that were given; what comes of them stays on the device. May be captured. */
    public void repeat(int steps) {
        for (int step = 0; step < steps; step++) {
            launch(Objects.requireNonNull(taken), Objects.requireNonNull(arrays));
        }
    }

    @Override
    public void step(int[] choices, float[] values, StepBatch result) {
        StepChecks.check(this, choicesOfAction, host.firstIndex(), choices, values, result);
        Memory memory = backend.memory();
        give(choices, values);
        repeat(1);
        StepArrays<DeviceArray> arrays = Objects.requireNonNull(this.arrays);
        if (!isChecked) {
            check();
            isChecked = true;
        }
        memory.download(arrays.observations(), result.observations(), 0);
        memory.download(arrays.rewards(), result.rewards(), 0);
        boolean anyTerminated = download(arrays.terminated(), result.terminated());
        boolean anyTruncated = download(arrays.truncated(), result.truncated());
        if (anyTerminated || anyTruncated) {
            memory.download(arrays.finalObservations(), result.finalObservations(), 0);
        }
    }

    /** Whether any is true. */
    private boolean download(DeviceArray from, boolean[] to) {
        backend.memory().download(from, ended, 0);
        boolean any = false;
        for (int i = 0; i < ended.length; i++) {
            to[i] = ended[i] != 0;
            any |= to[i];
        }
        return any;
    }

    @Override
    public void reset(long seed, int firstIndex, float[] observations) {
        host.reset(seed, firstIndex, observations);
        transfer.reset();
        hostIsNewer = true;
        deviceIsNewer = false;
    }

    @Override
    public void restart(int i, float[] observations) {
        bringToHost();
        host.restart(i, observations);
        hostIsNewer = true;
    }

    @Override
    public int count() {
        return host.count();
    }

    @Override
    public Space observationSpace() {
        return host.observationSpace();
    }

    @Override
    public Space actionSpace() {
        return host.actionSpace();
    }

    @Override
    public boolean masksActions() {
        return host.masksActions();
    }

    @Override
    public void actionMasks(boolean[] allowed) {
        bringToHost();
        host.actionMasks(allowed);
    }

    @Override
    public boolean canSaveState() {
        return true;
    }

    /** In the format of the {@link BatchedEnvironment}. */
    @Override
    public void saveState(int i, DataOutput out) throws IOException {
        bringToHost();
        host.saveState(i, out);
    }

    @Override
    public void restoreState(int i, DataInput in) throws IOException {
        bringToHost();
        host.restoreState(i, in);
        hostIsNewer = true;
    }

    @Override
    public void close() {
        try (host) {
            owned.forEach(DeviceArray::release);
        }
    }
}
