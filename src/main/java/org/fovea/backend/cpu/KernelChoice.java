package org.fovea.backend.cpu;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;

/** Finds the kernels for this machine: on vectors if their module is there, else scalar with one warning. */
public final class KernelChoice {
    private static final String VECTOR_MODULE = "jdk.incubator.vector";
    private static final String VECTOR_KERNELS = "org.fovea.backend.cpu.kernels.vector.VectorKernels";
    private static final Logger LOGGER = System.getLogger(KernelChoice.class.getName());

    /** The kernels every CPU backend of this process uses. */
    public static final Kernels KERNELS = choose();

    private KernelChoice() {}

    /** Whether they are on vectors. */
    static boolean isVector() {
        return !(KERNELS instanceof ScalarKernels);
    }

    private static Kernels choose() {
        if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
            LOGGER.log(
                    Level.WARNING,
                    "The CPU backend runs scalar code, several times slower: start Java with --add-modules "
                            + VECTOR_MODULE);
            return new ScalarKernels();
        }
        try {
            Class<?> kernels = Class.forName(VECTOR_KERNELS);
            return (Kernels) kernels.getConstructor(Kernels.class).newInstance(new ScalarKernels());
        } catch (ReflectiveOperationException | LinkageError e) {
            LOGGER.log(Level.WARNING, "The CPU backend runs scalar code: its vector kernels do not load", e);
            return new ScalarKernels();
        }
    }
}
