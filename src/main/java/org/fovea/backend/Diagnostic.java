// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Something found out about a machine, for whoever sets it up.
 *
 * @param subject what was looked at, such as {@code driver}
 * @param status whether it serves
 * @param found what there is, in one line
 * @param next what to do about it, in one line; empty where there is nothing to do, never where the status is NO
 * @param details the same for programs: numbers, texts and booleans by name
 */
public record Diagnostic(String subject, Status status, String found, String next, Map<String, Object> details) {

    /** Whether what was found serves. */
    public enum Status {
        /** As it should be. */
        OK,
        /** Neither good nor bad. */
        NOTE,
        /** Missing or unfit. */
        NO
    }

    /** Keeps a copy of the details, in their order. */
    public Diagnostic {
        details = Collections.unmodifiableMap(new LinkedHashMap<>(details));
        if (status == Status.NO && next.isEmpty()) {
            throw new IllegalArgumentException(subject + " is not as it should be, and nothing is said to do about it");
        }
    }

    /** Something that is as it should be. */
    public static Diagnostic ok(String subject, String found) {
        return new Diagnostic(subject, Status.OK, found, "", Map.of());
    }

    /** Something that is neither good nor bad. */
    public static Diagnostic note(String subject, String found) {
        return new Diagnostic(subject, Status.NOTE, found, "", Map.of());
    }

    /** Something that is missing or unfit, and what to do about it. */
    public static Diagnostic no(String subject, String found, String next) {
        return new Diagnostic(subject, Status.NO, found, next, Map.of());
    }

    /** The same with something to do that would make it better. */
    public Diagnostic withNext(String newNext) {
        return new Diagnostic(subject, status, found, newNext, details);
    }

    /** The same with details for programs. */
    public Diagnostic withDetails(Map<String, Object> newDetails) {
        return new Diagnostic(subject, status, found, next, newDetails);
    }

    /** What the probe finds. If it fails, that is the finding: one thing that can't be looked at must not hide the others. */
    public static Diagnostic of(String subject, Supplier<Diagnostic> probe) {
        try {
            return probe.get();
        } catch (RuntimeException | LinkageError e) {
            return no(subject, "could not be found out: " + e, "report this as a bug of Fovea, with the line before");
        }
    }
}
