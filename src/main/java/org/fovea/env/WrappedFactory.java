// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.env.EnvironmentSpec.Spaces;

/** Makes batches of an environment with a wrapper around it. */
record WrappedFactory(String name, EnvironmentFactory inner, Wrapper wrapper) implements EnvironmentFactory {
    @Override
    public List<VectorEnvironment> createAll(int... counts) {
        boolean oneByOne = wrapper.oneByOne();
        int[] innerCounts = counts;
        if (oneByOne) {
            innerCounts = new int[Arrays.stream(counts).sum()];
            Arrays.fill(innerCounts, 1);
        }
        List<VectorEnvironment> made = new ArrayList<>(inner.createAll(innerCounts));
        try {
            made.replaceAll(wrapper::wrap);
            return oneByOne ? joined(made, counts) : made;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(made, failure);
            throw failure;
        }
    }

    private static List<VectorEnvironment> joined(List<VectorEnvironment> ones, int[] counts) {
        List<VectorEnvironment> batches = new ArrayList<>();
        int first = 0;
        for (int count : counts) {
            batches.add(count == 1 ? ones.get(first) : new JoinedBatch(ones.subList(first, first + count)));
            first += count;
        }
        return batches;
    }

    @Override
    public Spaces spaces() {
        Spaces spaces = inner.spaces();
        return EnvironmentFailures.named(
                name,
                () -> new Spaces(wrapper.observationSpace(spaces.observations()), spaces.actions(), spaces.masked()));
    }

    @Override
    public boolean stepsSingly() {
        return wrapper.oneByOne() || inner.stepsSingly();
    }

    @Override
    public void closeUnused() {
        inner.closeUnused();
    }

    @Override
    public EnvironmentFactory named(String newName) {
        return new WrappedFactory(newName, inner.named(newName), wrapper);
    }
}
