// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import org.fovea.backend.cpu.VectorSupport.Obstacle;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.jspecify.annotations.Nullable;

/** The kernels for this machine: on vectors where the virtual machine runs them fast, else scalar with one warning. */
public final class KernelChoice {
    private static final String VECTOR_KERNELS = "org.fovea.backend.cpu.kernels.vector.VectorKernels";
    private static final Logger LOGGER = System.getLogger(KernelChoice.class.getName());

    /** The reason why they are scalar, or null. */
    static final @Nullable Obstacle OBSTACLE;

    /** The kernels every CPU backend of this process uses. */
    public static final Kernels KERNELS;

    static {
        Kernels scalar = new ScalarKernels();
        Kernels chosen = scalar;
        Obstacle obstacle = VectorSupport.obstacle();
        if (obstacle == null) {
            try {
                Class<?> kernels = Class.forName(VECTOR_KERNELS);
                chosen = (Kernels) kernels.getConstructor(Kernels.class).newInstance(scalar);
            } catch (ReflectiveOperationException | LinkageError e) {
                obstacle = new Obstacle("the vector kernels do not load: " + e, "report this as a bug of Fovea");
            }
        }
        if (obstacle != null) {
            LOGGER.log(
                    Level.WARNING,
                    "The CPU backend runs scalar code, several times slower: {0}; {1}",
                    obstacle.reason(),
                    obstacle.remedy());
        }
        OBSTACLE = obstacle;
        KERNELS = chosen;
    }

    private KernelChoice() {}
}
