// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.fovea.env.EnvironmentException;
import org.fovea.env.Schema;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/**
 * Plays a batch as {@code python/fovea/gymnasium.py} asks: a frame with the spaces, then an answer to each request, which is {@link
 * #RESET} with an int64 seed or {@link #STEP} with the actions. Both are a {@link Frame}.
 */
public final class EnvironmentServer {
    static final int RESET = 0;
    static final int STEP = 1;

    private final VectorEnvironment batch;
    private final OutputStream out;
    private final int choices;
    private final AnswerLayout layout;
    private final Frame frame;
    private final StepBatch result;
    private final int[] chosen;
    private final float[] values;
    private final boolean[] masks;

    /** A server of environments that the caller closes. */
    public EnvironmentServer(VectorEnvironment batch, OutputStream out) {
        this.batch = batch;
        this.out = out;
        int count = batch.count();
        choices = Schema.of(batch.actionSpace()).choices().length;
        masks = batch.newActionMasks();
        layout = new AnswerLayout(batch.observationSpace(), count, masks.length / count, false);
        frame = layout.newFrame();
        result = StepBatch.allocate(count, batch.observationSpace().size());
        chosen = new int[count * choices];
        values = new float[choices > 0 ? 0 : count * batch.actionSpace().size()];
    }

    /** Answers until the requests end. */
    public void run(InputStream requests) throws IOException {
        ObjectNode spaces = JsonNodeFactory.instance.objectNode();
        spaces.set("observation", SpaceDescription.write(batch.observationSpace()));
        spaces.set("action", SpaceDescription.write(batch.actionSpace()));
        spaces.put("mask_size", masks.length / batch.count());
        Frame.of(spaces).send(AnswerLayout.OK, out);
        byte[] length = new byte[4];
        while (requests.readNBytes(length, 0, 4) == 4) {
            byte[] bytes = new byte[Frame.littleEndian(length).getInt()];
            if (requests.readNBytes(bytes, 0, bytes.length) < bytes.length) {
                return;
            }
            try {
                answer(Frame.littleEndian(bytes));
            } catch (EnvironmentException | IllegalArgumentException e) {
                Frame.of(JsonNodeFactory.instance.objectNode().put("message", String.valueOf(e.getMessage())))
                        .send(AnswerLayout.FAILED, out);
            }
        }
    }

    private void answer(ByteBuffer request) throws IOException {
        ByteBuffer answer = frame.values();
        boolean anyEnded = false;
        if (request.getInt() == RESET) {
            batch.reset(request.getLong(), 0, result.observations());
        } else {
            for (int j = 0; j < chosen.length; j++) {
                chosen[j] = request.getInt();
            }
            for (int j = 0; j < values.length; j++) {
                values[j] = request.getFloat();
            }
            batch.step(chosen, values, result);
        }
        for (int i = 0; i < batch.count(); i++) {
            boolean stepped = request.getInt(0) == STEP;
            boolean terminated = stepped && result.terminated()[i];
            boolean truncated = stepped && result.truncated()[i];
            layout.putOutcome(answer, i, stepped ? result.rewards()[i] : 0, terminated, truncated);
            layout.put(answer, false, i, result.observations());
            if (terminated || truncated) {
                anyEnded = true;
                layout.put(answer, true, i, result.finalObservations());
            }
        }
        if (masks.length > 0) {
            batch.actionMasks(masks);
            layout.putMasks(answer, masks);
        }
        frame.send(anyEnded ? AnswerLayout.ENDED : AnswerLayout.OK, layout.length(anyEnded), out);
    }
}
