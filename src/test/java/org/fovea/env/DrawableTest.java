// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.Color;
import java.awt.Dimension;
import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.fovea.env.games.Games;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Built-in environments can be looked at in every state of an episode, and wrappers don't hide them. */
class DrawableTest {
    static Stream<String> builtIn() {
        // Without what other tests have registered in this process.
        return Games.all().stream().map(EnvironmentSpec::name);
    }

    private static BufferedImage draw(Drawable drawable) {
        Dimension size = drawable.size();
        BufferedImage image = new BufferedImage(size.width, size.height, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, size.width, size.height);
        drawable.draw(graphics);
        graphics.dispose();
        return image;
    }

    private static boolean isBlank(BufferedImage image) {
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                if (image.getRGB(x, y) != 0xffffffff) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Plays at random, what is forbidden left out; tells of each state, and of each that an episode ends in. */
    private static void play(VectorEnvironment batch, int steps, Runnable state) {
        float[] observations =
                new float[batch.count() * batch.observationSpace().size()];
        StepBatch result =
                StepBatch.allocate(batch.count(), batch.observationSpace().size());
        int[] choices = Schema.of(batch.actionSpace()).choices();
        int[] chosen = new int[batch.count() * choices.length];
        float[] values = new float[batch.count() * batch.actionSpace().size()];
        boolean[] allowed = batch.newActionMasks();
        SplittableRandom random = new SplittableRandom(5);
        batch.onEpisodeEnd(i -> state.run());
        batch.reset(3, 0, observations);
        for (int step = 0; step < steps; step++) {
            state.run();
            if (allowed.length > 0) {
                batch.actionMasks(allowed);
            }
            int first = 0;
            for (int i = 0; i < batch.count(); i++) {
                for (int part = 0; part < choices.length; part++) {
                    int choice;
                    do {
                        choice = random.nextInt(choices[part]);
                    } while (allowed.length > 0 && !allowed[first + choice]);
                    chosen[i * choices.length + part] = choice;
                    first += choices[part];
                }
            }
            batch.step(chosen, values, result);
        }
    }

    @ParameterizedTest
    @MethodSource("builtIn")
    void everyStateIsDrawn(String name) {
        VectorEnvironment batch = Environments.get(name).createAll(2).get(0);
        try {
            Drawable second = batch.drawable(1);
            assertThat(second).as("of " + name).isNotNull();
            List<String> texts = new ArrayList<>();
            play(batch, 130, () -> {
                String text = second.text();
                assertThat(text).isNotBlank();
                texts.add(text);
                Rectangle2D place = second.place(null);
                Dimension size = second.size();
                if (place != null) {
                    assertThat(new Rectangle2D.Double(0, 0, size.width, size.height).contains(place))
                            .isTrue();
                }
                if (texts.size() % 40 == 1) {
                    assertThat(isBlank(draw(second))).isFalse();
                }
            });
            if (!name.contains("Bandit")) {
                assertThat(texts.stream().distinct().count()).isGreaterThan(3);
            }
        } finally {
            batch.close();
        }
    }

    /** One that shows how far it has come. */
    private static final class Counter implements Environment, Drawable {
        private int steps;

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 100);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            steps = 0;
            return new float[1];
        }

        @Override
        public Step step(Action action) {
            return ++steps == 5 ? Step.terminated(new float[1], 1) : Step.of(new float[1], 0);
        }

        @Override
        public String text() {
            return "step " + steps;
        }
    }

    private static List<String> seen(EnvironmentSpec spec, int steps) {
        VectorEnvironment batch = spec.createAll(1).get(0);
        try {
            Drawable drawable = batch.drawable(0);
            List<String> texts = new ArrayList<>();
            play(batch, steps, () -> texts.add(drawable.text()));
            return texts;
        } finally {
            batch.close();
        }
    }

    @Test
    void theLastStateIsSeenBeforeTheNextEpisode() {
        EnvironmentSpec counter = EnvironmentSpec.of("Counter-v0", "counts", Counter::new);
        assertThat(seen(counter, 6))
                .containsExactly("step 0", "step 1", "step 2", "step 3", "step 4", "step 5", "step 0");
        assertThat(seen(counter.wrapped(Wrapper.timeLimit(2)), 3))
                .containsExactly("step 0", "step 1", "step 2", "step 0");
        assertThat(seen(counter.wrapped(Wrapper.frameStack(2)).wrapped(Wrapper.actionRepeat(3)), 2))
                .containsExactly("step 0", "step 3", "step 5");
    }

    @Test
    void textIsDrawnWhereNothingElseIs() {
        Counter counter = new Counter();
        assertThat(isBlank(draw(counter))).isFalse();
        Drawable silent = new Drawable() {
            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return null;
            }
        };
        assertThat(isBlank(draw(silent))).isTrue();
    }
}
