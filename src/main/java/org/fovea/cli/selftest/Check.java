package org.fovea.cli.selftest;

/**
 * One thing that a backend must do right.
 *
 * @param name for people
 * @param body computes on the trial's backend, and holds what comes of it against a reference
 */
record Check(String name, Body body) {

    /** What is done. */
    @FunctionalInterface
    interface Body {
        /**
         * @throws WrongResultException if something that was computed is wrong
         */
        void run(Trial trial);
    }
}
