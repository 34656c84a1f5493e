// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.Stack;
import java.util.concurrent.ConcurrentHashMap;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Backends;
import org.fovea.env.UnknownNameException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Options that choose the device. */
final class BackendOptions {
    private static final String CUDA = "cuda";
    private static final String CPU = "cpu";

    private static final String SOURCE = "source";
    private static final String PTX = "ptx";

    /** More than any machine has use for, and few enough to be started. */
    private static final int MAX_THREADS = 1024;

    /** The source tree or unpacked bundle that the launcher is in. */
    private static final String HOME_PROPERTY = "fovea.home";

    /** The backend where auto is asked for. */
    private static final String BACKEND_PROPERTY = "fovea.backend";

    /** Where the launcher builds the simulator. */
    private static final String SIMULATOR_PROPERTY = "fovea.simulator";

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = Backends.AUTO,
            completionCandidates = Candidates.BackendNames.class,
            description = "auto, cpu or cuda (default: ${DEFAULT-VALUE}, cuda where it is available).")
    private String backend = Backends.AUTO;

    @Option(
            names = "--device",
            paramLabel = "N",
            description = "Which GPU of several, from 0 (default: 0; of a rank that of its number).")
    private @Nullable Integer device;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Worker threads; 0 is one per core. Changes speed, never results.")
    private @Nullable Integer threads;

    @Option(
            names = "--simulate",
            arity = "0..1",
            paramLabel = "KERNELS",
            fallbackValue = SOURCE,
            preprocessor = OnlyWithEqualsSign.class,
            description =
                    "Run the CUDA kernels on the CPU, without a GPU: for work on kernels, slow. source is what g++ makes of"
                            + " them, ptx what nvcc does (default: source). Implies --backend cuda.")
    private @Nullable String simulate;

    private final Set<String> said = ConcurrentHashMap.newKeySet();

    /** What follows {@code --simulate} is not its value, for it may be an input. */
    static final class OnlyWithEqualsSign implements IParameterPreprocessor {
        @Override
        public boolean preprocess(
                Stack<String> arguments, CommandSpec command, ArgSpec option, Map<String, Object> info) {
            if (!"=".equals(info.get("separator"))) {
                arguments.push(SOURCE);
            }
            return false;
        }
    }

    /** Whether the simulator is to run what nvcc made of the kernels. */
    boolean simulatesPtx() {
        return PTX.equals(simulate);
    }

    /**
     * Opens a device that computes in float64, which is the CPU.
     *
     * @throws UsageException if another one is asked for
     */
    Backend openForDouble(Terminal terminal, Map<String, String> settings) {
        if (simulate != null || backend.equals(CUDA)) {
            throw new UsageException("float64 is computed on the CPU only: use --backend cpu, or tensors of float32");
        }
        return backend.equals(Backends.AUTO)
                ? open(CPU, terminal, settings, new Share(0, 1, 0))
                : open(terminal, settings);
    }

    /** Opens the device, with a thread per core unless another number is given. */
    Backend open(Terminal terminal, Map<String, String> settings) {
        return open(terminal, settings, 0);
    }

    /**
     * Opens the device, with {@code defaultThreads} unless another number is given. Where auto falls back, a line says why.
     *
     * @throws BackendUnavailableException if it is unavailable
     */
    Backend open(Terminal terminal, Map<String, String> settings, int defaultThreads) {
        String name = name(terminal);
        return open(name, terminal, settings, new Share(defaultThreads, 1, 0));
    }

    /**
     * What one of several parts of a run has of the machine.
     *
     * @param defaultThreads where no number is given
     * @param parts that the number of threads, where it is given, is for
     * @param device where none is given
     */
    record Share(int defaultThreads, int parts, int device) {}

    /** The same for a part of a run: on the GPU of its share, or on the first where there are fewer. */
    Backend open(Terminal terminal, Map<String, String> settings, Share share) {
        String name = name(terminal);
        if (share.device > 0 && device == null && !name.equals(CPU)) {
            try {
                return open(CUDA, terminal, settings, share);
            } catch (BackendUnavailableException e) {
                return open(name, terminal, settings, new Share(share.defaultThreads, share.parts, 0));
            }
        }
        return open(name, terminal, settings, share);
    }

    private Backend open(String name, Terminal terminal, Map<String, String> settings, Share share) {
        requireKnown(name);
        BackendSettings wanted = settings(settings, share);
        Backends.Choice choice = Backends.open(name, wanted);
        if (!choice.reasons().isEmpty()) {
            sayOnce(terminal, "running on " + choice.backend().name() + ": " + String.join("; ", choice.reasons()));
        }
        if (choice.backend().name().equals(CPU) && wanted.precision() != BackendSettings.DEFAULT.precision()) {
            String precision = wanted.asMap().get("precision");
            sayOnce(terminal, "precision=" + precision + " is for a GPU: the CPU computes in float32");
        }
        return choice.backend();
    }

    /** A command that opens a backend for each of its runs says it of the first. */
    private void sayOnce(Terminal terminal, String line) {
        if (said.add(line)) {
            terminal.notices().println(line);
        }
    }

    private String name(Terminal terminal) {
        if (simulate != null) {
            return simulated(simulate, terminal);
        }
        // Tests set the property: a simulated device that an earlier one has loaded is there for auto as well.
        return backend.equals(Backends.AUTO) ? System.getProperty(BACKEND_PROPERTY, backend) : backend;
    }

    /** Refuses the name of a backend that there is none of. */
    static void requireKnown(String name) {
        List<String> names = new ArrayList<>(List.of(Backends.AUTO));
        names.addAll(Backends.names());
        if (!names.contains(name)) {
            throw new UnknownNameException("backend", name, names);
        }
    }

    private BackendSettings settings(Map<String, String> settings, Share share) {
        int workers = threads == null || (threads == 0 && share.parts > 1)
                ? share.defaultThreads
                : threads > share.parts ? threads / share.parts : Math.min(threads, 1);
        if (workers < 0 || workers > MAX_THREADS) {
            throw new UsageException("--threads must be from 0 (one per core) to " + MAX_THREADS + ", got " + workers);
        }
        int number = device == null ? share.device : device;
        if (number < 0) {
            throw new UsageException("--device must be 0 or more, got " + number);
        }
        try {
            return BackendSettings.DEFAULT
                    .withThreads(workers)
                    .withDevice(number)
                    .with(settings);
        } catch (IllegalArgumentException e) {
            throw new UsageException("--set " + e.getMessage(), e);
        }
    }

    /** Puts the simulated driver in place of the machine's; returns the name of the backend that runs on it. */
    private String simulated(String kernels, Terminal terminal) {
        if (!kernels.equals(SOURCE) && !kernels.equals(PTX)) {
            throw new UsageException("--simulate runs kernels from source or ptx, not " + kernels);
        }
        if (!backend.equals(Backends.AUTO) && !backend.equals(CUDA)) {
            throw new UsageException("--simulate runs the cuda backend, not " + backend);
        }
        String home = System.getProperty(HOME_PROPERTY);
        if (home == null || !Files.isDirectory(Path.of(home, "native-tests"))) {
            throw new BackendUnavailableException(
                    "the simulator is part of Fovea's source tree; use --simulate with ./fovea there");
        }
        Path simulator = Path.of(System.getProperty(SIMULATOR_PROPERTY, home + "/target/native-tests"));
        Path driver = simulator.resolve("libcuda.so.1");
        if (!Files.exists(driver)) {
            throw new BackendUnavailableException(
                    "the simulator is not built; run: make -C " + Path.of(home, "native-tests") + " driver");
        }
        System.setProperty("fovea.cuda.driver", driver.toString());
        System.setProperty("fovea.cuda.simulator", kernels);
        // Where the launcher found no nvcc, the PTX is that in the jar, if it has kernels.
        Path image = simulator.resolve(kernels.equals(PTX) ? "image/lines.fatbin" : "simulated.fatbin");
        if (kernels.equals(SOURCE) || Files.exists(image)) {
            System.setProperty("fovea.cuda.image", image.toString());
        }
        sayOnce(
                terminal,
                "simulating a CUDA device on the CPU" + (kernels.equals(PTX) ? ", from the kernels' PTX" : "")
                        + ": exact, but slow");
        return CUDA;
    }
}
