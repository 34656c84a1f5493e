// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.fovea.env.Schema;
import org.fovea.io.DurableFiles;
import org.fovea.io.JsonReader;
import org.fovea.onnx.format.GraphProto;
import org.fovea.onnx.format.ModelProto;
import org.fovea.onnx.format.OperatorSetIdProto;
import org.fovea.onnx.format.StringStringEntryProto;
import org.fovea.rl.policy.SavedPolicy;

/**
 * A trained policy as an ONNX model. What goes in and comes out is in {@code docs/onnx.md}, and in the model itself, in the
 * descriptions of its inputs and outputs and in its metadata.
 */
public final class PolicyModel {
    /** The oldest version of ONNX's operators that a policy can be written for, the first with LayerNormalization. */
    public static final int OLDEST_OPSET = 17;

    /** The newest. */
    public static final int NEWEST_OPSET = 24;

    /** The oldest that has operators for attention and rotary positions. */
    public static final int ATTENTION_OPSET = 23;

    /** The format's version that came with each version of the operators, from the oldest on. */
    private static final int[] FORMATS = {8, 8, 9, 9, 10, 10, 11, 12};

    /** Bytes that parameters can take, so that there is room for all else in a file of 2 GiB. */
    private static final long LARGEST = Integer.MAX_VALUE - (64L << 20);

    /** Of what {@link PolicyGraph} describes: with another one a reader has to be changed. */
    private static final int VERSION = 1;

    private static final String MEMORY =
            "In the first step of an episode every input memory.* of that row is zeros. In each"
                    + " later step it is what output next_memory.* was in the step before. Where another action was taken than output"
                    + " action, memory.action is that one.";

    private final ModelProto model;

    private PolicyModel(ModelProto model) {
        this.model = model;
    }

    /**
     * The model of a policy.
     *
     * @param opset version of the operators, as {@code ai.onnx} counts them
     * @throws NotExportableException if there can be no such model
     */
    public static PolicyModel of(SavedPolicy policy, int opset) {
        if (opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
            throw new NotExportableException("a policy can't be written for opset " + opset + ", but for any from "
                    + OLDEST_OPSET + " to " + NEWEST_OPSET + "; runtimes take those that are older than their own");
        }
        long bytes = policy.parameters().values().stream()
                .mapToLong(tensor -> (long) tensor.elements() * Float.BYTES)
                .sum();
        if (bytes > LARGEST) {
            throw new NotExportableException(
                    "a policy whose parameters take " + bytes + " bytes is too large for an ONNX file,"
                            + " which can have 2 GiB; fovea export --safetensors has no such limit");
        }
        String version = Optional.ofNullable(PolicyModel.class.getPackage().getImplementationVersion())
                .orElse("unknown");
        GraphProto graph = PolicyGraph.of(policy, opset);
        ModelProto.Builder model = ModelProto.newBuilder()
                .setIrVersion(FORMATS[opset - OLDEST_OPSET])
                .setProducerName("fovea")
                .setProducerVersion(version)
                .setDocString("A policy for " + policy.notes().getOrDefault("environment", "an environment")
                        + ", trained by Fovea")
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset))
                .setGraph(graph);
        metadata(policy, graph, version)
                .forEach((key, value) -> model.addMetadataProps(
                        StringStringEntryProto.newBuilder().setKey(key).setValue(value)));
        return new PolicyModel(model.build());
    }

    /** What a model says of itself. */
    private static Map<String, String> metadata(SavedPolicy policy, GraphProto graph, String version) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("fovea.onnx_version", Integer.toString(VERSION));
        metadata.put("fovea.version", version);
        policy.metadata().forEach((key, value) -> metadata.put("fovea." + key, value));
        metadata.put("fovea.observation_parts", observationParts(policy));
        if (graph.getInputList().stream().anyMatch(input -> input.getName().startsWith(MemoryGraph.INPUT))) {
            metadata.put("fovea.memory", MEMORY);
        }
        return metadata;
    }

    /** Where each part of an observation is, as JSON. */
    private static String observationParts(SavedPolicy policy) {
        return Schema.of(policy.spaces().observations()).leaves().stream()
                .map(leaf -> "{\"path\":" + JsonReader.quoted(leaf.path()) + ",\"type\":\""
                        + leaf.space().getClass().getSimpleName() + "\",\"offset\":" + leaf.offset() + ",\"size\":"
                        + leaf.space().size() + "}")
                .collect(Collectors.joining(",", "[", "]"));
    }

    /** The model as a file holds it. */
    public byte[] bytes() {
        return model.toByteArray();
    }

    /**
     * Writes the model, in one go: a file that is there is replaced, or left as it is.
     *
     * @throws IOException naming the file if it cannot be written
     */
    public void write(Path file) throws IOException {
        DurableFiles.write(file, bytes());
    }
}
