// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import org.fovea.env.Action;
import org.fovea.env.Environments;
import org.fovea.env.Step;

/** A program of a newcomer's, whose environment hangs somewhere, once it has been played for a while. */
final class NewcomerProgram {
    /** Steps before something happens in a step. */
    private static final int STEPS = 300;

    private NewcomerProgram() {}

    /** Where it happens. */
    enum Place {
        FACTORY,
        RESET,
        STEP,
        CLOSE,
        NOWHERE
    }

    private static final class Hanging extends Countdown {
        private final Place place;
        private final boolean endless;
        private int steps;

        Hanging(Place place, boolean endless) {
            this.place = place;
            this.endless = endless;
            if (place == Place.FACTORY && number == 2) {
                hang();
            }
        }

        private static void hang() {
            System.err.println("HANGING");
            CountDownLatch never = new CountDownLatch(1);
            while (true) {
                try {
                    never.await();
                } catch (InterruptedException e) {
                    System.err.println("interrupted");
                }
            }
        }

        @Override
        public float[] reset(long seed) {
            if (place == Place.RESET && number == 2) {
                hang();
            }
            return super.reset(seed);
        }

        @Override
        public Step step(Action action) {
            if (place == Place.STEP && number == 2 && ++steps == STEPS) {
                hang();
            }
            if (endless) {
                time = 1 - time;
                return Step.of(observation(), 0);
            }
            return super.step(action);
        }

        @Override
        public void close() {
            if (place == Place.CLOSE && number == 2) {
                hang();
            }
        }
    }

    /** Becomes slow after two rollouts of 128 steps. */
    private static final class Slowing extends Countdown {
        private int steps;

        @Override
        public Step step(Action action) {
            if (++steps > 300) {
                if (steps == 302 && number == 2) {
                    System.err.println("SLOW");
                }
                try {
                    Thread.sleep(50);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            return super.step(action);
        }
    }

    private static final class Exiting extends Countdown {
        private int steps;

        @Override
        public Step step(Action action) {
            if (number == 2 && ++steps == STEPS) {
                System.exit(0);
            }
            return super.step(action);
        }
    }

    private static final class Threaded extends Countdown {
        Threaded() {
            new Thread(Hanging::hang, "of the environment").start();
        }
    }

    public static void main(String[] arguments) {
        for (Place place : Place.values()) {
            Environments.register(
                    "Hangs" + place.name().toLowerCase(Locale.ROOT) + "-v0", "", () -> new Hanging(place, false));
        }
        Environments.register("NeverEnds-v0", "", () -> new Hanging(Place.NOWHERE, true));
        Environments.register("Slows-v0", "", Slowing::new);
        Environments.register("Exits-v0", "", Exiting::new);
        Environments.register("Threads-v0", "", Threaded::new);
        Fovea.main(arguments);
    }

    /** Arguments to train on one of them. */
    static String[] training(String environment, Path run, String... more) {
        String[] all = new String[more.length + 2];
        all[0] = "--env";
        all[1] = environment;
        System.arraycopy(more, 0, all, 2, more.length);
        return TrainTest.small(run, all);
    }
}
