// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.fovea.backend.Backends;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;

/** Values that a shell offers for an option. */
final class Candidates {
    private Candidates() {}

    /** Of {@code --env}: those that are registered when the script is made. */
    static final class EnvironmentNames implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Environments.all().stream().map(EnvironmentSpec::name).iterator();
        }
    }

    /** Of {@code --algo}. */
    static final class Algorithms implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return names(Algorithm.values());
        }
    }

    /** Of {@code --policy}. */
    static final class Policies implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return names(PolicyKind.values());
        }
    }

    /** Of {@code --backend}. */
    static final class BackendNames implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            List<String> names = new ArrayList<>(List.of(Backends.AUTO));
            names.addAll(Backends.names());
            return names.iterator();
        }
    }

    private static Iterator<String> names(Enum<?>[] values) {
        return Arrays.stream(values).map(Enum::toString).iterator();
    }
}
