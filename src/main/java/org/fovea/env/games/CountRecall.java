// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.Arrays;
import java.util.List;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;

/**
 * A card is dealt and another asks; say how often the face that is asked for has been dealt so far.
 *
 * <p>Two piles of n cards each are shuffled, and one card of both is turned. Observation: the face of the dealt card and the
 * face that is asked for, each one-hot. The action is the number of cards with that face that were dealt, the newest included:
 * right earns 1 / (n - 1), wrong loses as much. Then the next of both are turned; the episode terminates with the last ones,
 * after n - 1 steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has colours and 1 deck, Medium suits and 2, Hard ranks and 4. The best score
 * without memory guesses by the time, which a policy sees by {@code episode_step=true}.
 */
final class CountRecall extends CardGame {
    private final int faces;
    private final float scale;
    private final byte[] dealt = newPile();
    private final byte[] asked = newPile();

    /** How often each face was dealt, [count, faces]. */
    private final int[] counts;

    static EnvironmentSpec spec(Level level) {
        int decks = level.of(1, 2, 4);
        Face face = level == Level.EASY ? Face.COLOUR : level == Level.MEDIUM ? Face.SUIT : Face.RANK;
        return level.spec("CountRecall", "Count the cards of a face", count -> new CountRecall(count, decks, face))
                .withReference("optimum", 1)
                .withReference("best of the time alone", level.of(-0.45, -0.51, -0.42))
                .withReference("random", level.of(-0.93, -0.93, -0.88));
    }

    CountRecall(int count, int decks, Face face) {
        super(
                count,
                decks,
                face,
                new Space.MultiDiscrete(face.values, face.values),
                new Space.Discrete(cards(decks) / face.values + 1),
                NO_TIME_LIMIT);
        faces = face.values;
        scale = 1f / (cards - 1);
        counts = newInts(faces);
    }

    /** Of the kernel. */
    private record Constants(Pack pack, float reward) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("count_recall", new Constants(pack(), scale));
    }

    @Override
    protected void begin(int i, float[] observations) {
        shuffle(i, dealt);
        shuffle(i, asked);
        Arrays.fill(counts, i * faces, (i + 1) * faces, 0);
        turn(i, 0, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        for (int i = 0; i < count(); i++) {
            int newest = elapsed[i];
            boolean right = choices[i] == counts[i * faces + asked[i * cards + newest]];
            result.rewards()[i] = right ? scale : -scale;
            result.terminated()[i] = newest == cards - 2;
            turn(i, newest + 1, result.observations());
        }
    }

    private void turn(int i, int next, float[] observations) {
        int face = dealt[i * cards + next];
        counts[i * faces + face]++;
        writeOneHot(face, faces, observations, 2 * i * faces);
        writeOneHot(asked[i * cards + next], faces, observations, (2 * i + 1) * faces);
    }

    @Override
    public Drawable drawable(int i) {
        return new CardPicture() {
            @Override
            List<Card> cards() {
                return List.of(
                        new Card("newest", face(), dealt[i * cards + elapsed[i]]),
                        new Card("how many of", face(), asked[i * cards + elapsed[i]]));
            }

            @Override
            String caption() {
                return "so far there were " + counts[i * faces + asked[i * cards + elapsed[i]]];
            }
        };
    }
}
