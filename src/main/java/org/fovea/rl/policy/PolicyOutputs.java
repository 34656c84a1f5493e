// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.nn.SetEncoder;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of the numbers that a network's last layer gives: they are the outputs of the distribution, but where one of the
 * entities is to be chosen ({@link Space.EntityChoice}) they are a query. The logit of an entity is then the product of the
 * query with the entity as it was encoded, over the square root of their length, as in pointer networks (Vinyals et al. 2015,
 * arXiv:1506.03134). A projection to keys would add nothing: it is one with that to the query.
 */
final class PolicyOutputs {
    private final int ofEach;
    private final int inputs;
    private final int width;
    private final long flops;
    private final long activations;

    /** In order; empty where nothing is to be done. */
    private final List<Part> parts = new ArrayList<>();

    /** Outputs of one choice, from inputs {@code [from, to)}. */
    private record Part(int from, int to, @Nullable String entities) {}

    /**
     * Of the policies in some environments.
     *
     * @param outputs of the distribution, as many for each choice
     * @param width numbers that an entity is encoded by
     */
    PolicyOutputs(EnvironmentSpec.Spaces spaces, int outputs, int width) {
        this.width = width;
        Schema actions = Schema.of(spaces.actions());
        this.ofEach = outputs / Math.max(1, actions.choices().length);
        List<Schema.Leaf> pointers = actions.leaves().stream()
                .filter(leaf -> leaf.space() instanceof Space.EntityChoice)
                .toList();
        if (pointers.isEmpty()) {
            this.inputs = outputs;
            this.flops = 0;
            this.activations = 0;
            return;
        }
        int from = 0;
        long operations = 0;
        long held = 0;
        for (Schema.Leaf leaf : actions.leaves()) {
            int ofLeaf = Schema.of(leaf.space()).choices().length;
            if (leaf.space() instanceof Space.EntityChoice choice) {
                parts.add(new Part(from, from + width, choice.entities()));
                operations += 2L * choice.most() * width;
                held += 4L * choice.most() * width;
                from += width;
            } else {
                parts.add(new Part(from, from + ofLeaf * ofEach, null));
                from += ofLeaf * ofEach;
            }
        }
        this.inputs = from;
        this.flops = operations;
        this.activations = held;
    }

    /** Numbers that the last layer has to give. */
    int inputs() {
        return inputs;
    }

    /** Multiply-adds times two for one step. */
    long flops() {
        return flops;
    }

    /** Numbers that a pass over one step, and back, takes: products with each entity, and their gradients. */
    long activations() {
        return activations;
    }

    /**
     * The outputs of the distribution, [rows, outputs].
     *
     * @param numbers of the last layer, [rows, inputs()]
     * @param step that they were made of
     */
    Tensor apply(Tensor numbers, StepFeatures.Encoded step) {
        if (parts.isEmpty()) {
            return numbers;
        }
        List<Tensor> all = new ArrayList<>();
        for (Part part : parts) {
            Tensor mine = parts.size() == 1 ? numbers : numbers.slice(1, part.from, part.to);
            if (part.entities == null) {
                all.add(mine);
            } else {
                addPointer(mine, Objects.requireNonNull(step.sets().get(part.entities)), all);
            }
        }
        return all.size() == 1 ? all.get(0) : Tensor.concat(1, all);
    }

    private void addPointer(Tensor query, SetEncoder.Encoded set, List<Tensor> all) {
        int rows = query.size(0);
        int most = set.hidden().size(1);
        Tensor products = set.things().multiply(query.reshape(rows, 1, width)).sum(2);
        all.add(products.multiply(1 / Math.sqrt(width)).add(set.hidden()));
        int missing = ofEach - most;
        if (missing > 0) {
            // Another choice has more: these are forbidden by the distribution.
            all.add(query.tape().zeros(rows, missing));
        }
    }
}
