// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/**
 * Captured steps of a backend that runs each operation when it is issued: a replay runs the body. What a device could not
 * record is refused here too, so that a step that works on the CPU works on a GPU.
 */
public final class EagerSteps {
    /** Whether the thread replays a step: several can, of which each has its own. */
    private final ThreadLocal<Boolean> replaying = ThreadLocal.withInitial(() -> false);

    /** A step that runs {@code body} at each replay. */
    public CapturedStep capture(Runnable body) {
        refuse("capture");
        return new Step(body);
    }

    /** Throws {@link IllegalStateException} if a step is being replayed, in which {@code call} has no place. */
    public void refuse(String call) {
        if (replaying.get()) {
            throw new IllegalStateException(call + " is not possible in a captured step; do it before or after");
        }
    }

    private final class Step implements CapturedStep {
        private final Runnable body;
        private boolean closed;

        Step(Runnable body) {
            this.body = body;
        }

        @Override
        public void replay() {
            refuse("replay");
            if (closed) {
                throw new IllegalStateException("this captured step is closed");
            }
            replaying.set(true);
            try {
                body.run();
            } finally {
                replaying.set(false);
            }
        }

        @Override
        public void close() {
            closed = true;
        }
    }
}
