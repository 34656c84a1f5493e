// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.fovea.env.EnvironmentException;
import org.fovea.env.Schema;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/**
 * Plays a batch as {@code python/fovea/gymnasium.py} asks: a frame with the spaces, then an answer to each request, which is {@link
 * #RESET} with an int64 seed or {@link #STEP} with the actions. Frames are as those of {@link PythonWorker}.
 */
public final class EnvironmentServer {
    static final int RESET = 0;
    static final int STEP = 1;

    private final VectorEnvironment batch;
    private final OutputStream out;
    private final int choices;
    private final AnswerLayout layout;
    private final ByteBuffer frame;
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
        answer(AnswerLayout.OK, spaces);
        byte[] length = new byte[4];
        while (requests.readNBytes(length, 0, 4) == 4) {
            byte[] bytes = new byte[little(length).getInt()];
            if (requests.readNBytes(bytes, 0, bytes.length) < bytes.length) {
                return;
            }
            try {
                answer(little(bytes));
            } catch (EnvironmentException | IllegalArgumentException e) {
                answer(
                        AnswerLayout.FAILED,
                        JsonNodeFactory.instance.objectNode().put("message", String.valueOf(e.getMessage())));
            }
        }
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void answer(ByteBuffer request) throws IOException {
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
            layout.putOutcome(frame, i, stepped ? result.rewards()[i] : 0, terminated, truncated);
            layout.put(frame, false, i, result.observations());
            if (terminated || truncated) {
                anyEnded = true;
                layout.put(frame, true, i, result.finalObservations());
            }
        }
        if (masks.length > 0) {
            batch.actionMasks(masks);
            layout.putMasks(frame, masks);
        }
        int length = layout.length(anyEnded);
        frame.putInt(0, length - 4).putInt(4, anyEnded ? AnswerLayout.ENDED : AnswerLayout.OK);
        out.write(frame.array(), 0, length);
        out.flush();
    }

    private void answer(int code, ObjectNode content) throws IOException {
        byte[] text = content.toString().getBytes(StandardCharsets.UTF_8);
        byte[] bytes = new byte[8 + text.length];
        little(bytes).putInt(4 + text.length).putInt(code).put(text);
        out.write(bytes);
        out.flush();
    }
}
