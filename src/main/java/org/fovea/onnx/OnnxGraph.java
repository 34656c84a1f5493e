// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.onnx.format.AttributeProto;
import org.fovea.onnx.format.AttributeProto.AttributeType;
import org.fovea.onnx.format.GraphProto;
import org.fovea.onnx.format.NodeProto;
import org.fovea.onnx.format.TensorProto;
import org.fovea.onnx.format.TensorProto.DataType;
import org.fovea.onnx.format.TensorShapeProto;
import org.fovea.onnx.format.TypeProto;
import org.fovea.onnx.format.ValueInfoProto;

/** A graph of ONNX's operators in the making. Values go by their names; each method that computes one returns its name. */
final class OnnxGraph {
    /** The first version in which the axes of every reduction are an input. */
    private static final int AXES_AS_INPUT = 18;

    /** In a shape, the number of environments, which is known when the graph is run. */
    static final long BATCH = -1;

    private final int opset;
    private final GraphProto.Builder graph = GraphProto.newBuilder();

    /** A graph for version {@code opset} of the operators. */
    OnnxGraph(String name, int opset) {
        this.opset = opset;
        graph.setName(name);
    }

    GraphProto build() {
        return graph.build();
    }

    /** Whether there are operators Attention and RotaryEmbedding. */
    boolean hasAttention() {
        return opset >= PolicyModel.ATTENTION_OPSET;
    }

    /** Adds an input of the graph. */
    String input(String name, DataType type, String meaning, long... shape) {
        graph.addInput(value(name, type, meaning, shape));
        return name;
    }

    /** Gives a value as an output of the graph. */
    void output(String name, String value, DataType type, String meaning, long... shape) {
        graph.addNode(node("Identity", value).addOutput(name));
        graph.addOutput(value(name, type, meaning, shape));
    }

    private static ValueInfoProto value(String name, DataType type, String meaning, long... shape) {
        TensorShapeProto.Builder dimensions = TensorShapeProto.newBuilder();
        for (long length : shape) {
            TensorShapeProto.Dimension.Builder dimension = TensorShapeProto.Dimension.newBuilder();
            dimensions.addDim(length == BATCH ? dimension.setDimParam("batch") : dimension.setDimValue(length));
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setDocString(meaning)
                .setType(TypeProto.newBuilder()
                        .setTensorType(TypeProto.Tensor.newBuilder()
                                .setElemType(type.getNumber())
                                .setShape(dimensions)))
                .build();
    }

    /** A constant. */
    String constant(float[] values, long... shape) {
        return constant("constant_" + graph.getInitializerCount(), values, shape);
    }

    /** A constant of that name. */
    String constant(String name, float[] values, long... shape) {
        ByteBuffer bytes = littleEndian(values.length, Float.BYTES);
        bytes.asFloatBuffer().put(values);
        return constant(name, DataType.FLOAT, bytes, shape);
    }

    /** A constant of truth values. */
    String constant(boolean[] values, long... shape) {
        ByteBuffer bytes = littleEndian(values.length, 1);
        for (boolean value : values) {
            bytes.put((byte) (value ? 1 : 0));
        }
        return constant("constant_" + graph.getInitializerCount(), DataType.BOOL, bytes.flip(), shape);
    }

    /** A constant without axes. */
    String constant(double value) {
        return constant(new float[] {(float) value});
    }

    /** A constant of integers. */
    String integers(long[] values, long... shape) {
        ByteBuffer bytes = littleEndian(values.length, Long.BYTES);
        bytes.asLongBuffer().put(values);
        return constant("constant_" + graph.getInitializerCount(), DataType.INT64, bytes, shape);
    }

    /** A constant row of integers. */
    private String row(long... values) {
        return integers(values, values.length);
    }

    private static ByteBuffer littleEndian(int elements, int bytes) {
        return ByteBuffer.allocate(Math.multiplyExact(elements, bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private String constant(String name, DataType type, ByteBuffer values, long... shape) {
        TensorProto.Builder tensor = TensorProto.newBuilder()
                .setName(name)
                .setDataType(type.getNumber())
                .setRawData(ByteString.copyFrom(values));
        for (long length : shape) {
            tensor.addDims(length);
        }
        graph.addInitializer(tensor);
        return name;
    }

    /** What an operator without attributes computes. */
    String apply(String operator, String... inputs) {
        return apply(operator, List.of(), inputs);
    }

    /** What an operator computes. */
    String apply(String operator, List<AttributeProto> attributes, String... inputs) {
        return apply(operator, 1, attributes, inputs).get(0);
    }

    /** The values that an operator computes. */
    List<String> apply(String operator, int outputs, List<AttributeProto> attributes, String... inputs) {
        NodeProto.Builder node = node(operator, inputs).addAllAttribute(attributes);
        List<String> names = new ArrayList<>();
        for (int i = 0; i < outputs; i++) {
            names.add(outputs == 1 ? node.getName() : node.getName() + "_" + i);
        }
        graph.addNode(node.addAllOutput(names));
        return names;
    }

    private NodeProto.Builder node(String operator, String... inputs) {
        return NodeProto.newBuilder()
                .setOpType(operator)
                .setName(operator + "_" + graph.getNodeCount())
                .addAllInput(Arrays.asList(inputs));
    }

    static AttributeProto attribute(String name, long value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeType.INT)
                .setI(value)
                .build();
    }

    static AttributeProto attribute(String name, double value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeType.FLOAT)
                .setF((float) value)
                .build();
    }

    static AttributeProto attribute(String name, int... values) {
        AttributeProto.Builder attribute =
                AttributeProto.newBuilder().setName(name).setType(AttributeType.INTS);
        for (int value : values) {
            attribute.addInts(value);
        }
        return attribute.build();
    }

    String add(String a, String b) {
        return apply("Add", a, b);
    }

    String subtract(String a, String b) {
        return apply("Sub", a, b);
    }

    String multiply(String a, String b) {
        return apply("Mul", a, b);
    }

    String matrixProduct(String a, String b) {
        return apply("MatMul", a, b);
    }

    String cast(String x, DataType type) {
        return apply("Cast", List.of(attribute("to", (long) type.getNumber())), x);
    }

    /** A length of {@link #BATCH} is the one that is left. */
    String reshape(String x, long... shape) {
        return apply("Reshape", x, row(shape));
    }

    String transpose(String x, int... axes) {
        return apply("Transpose", List.of(attribute("perm", axes)), x);
    }

    /** Elements {@code [from, to)} of an axis. */
    String slice(String x, int axis, long from, long to) {
        return apply("Slice", x, row(from), row(to), row(axis));
    }

    /** The elements of an axis at those places. */
    String gather(String x, int axis, long... places) {
        return apply("Gather", List.of(attribute("axis", (long) axis)), x, row(places));
    }

    /** Values one behind the other; a single one is itself. */
    String concat(int axis, List<String> parts) {
        return parts.size() == 1
                ? parts.get(0)
                : apply("Concat", List.of(attribute("axis", (long) axis)), parts.toArray(String[]::new));
    }

    /** Parts of these lengths; a single one is the whole. */
    List<String> split(String x, int axis, long... lengths) {
        return lengths.length == 1
                ? List.of(x)
                : apply("Split", lengths.length, List.of(attribute("axis", (long) axis)), x, row(lengths));
    }

    /** A sum over an axis. */
    String sum(String x, int axis, boolean keep) {
        return apply("ReduceSum", List.of(attribute("keepdims", keep ? 1L : 0)), x, row(axis));
    }

    /** The largest along an axis, which goes. */
    String largest(String x, int axis) {
        return opset >= AXES_AS_INPUT
                ? apply("ReduceMax", List.of(attribute("keepdims", 0L)), x, row(axis))
                : apply("ReduceMax", List.of(attribute("keepdims", 0L), attribute("axes", new int[] {axis})), x);
    }
}
