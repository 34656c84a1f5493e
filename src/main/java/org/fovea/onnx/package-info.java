// SPDX-License-Identifier: Apache-2.0
/**
 * Policies as ONNX models, for any runtime of that format.
 *
 * <p>Start with {@link org.fovea.onnx.PolicyModel}, which makes the model of an agent; {@code PolicyGraph} says what is computed of
 * which inputs. A step is encoded by {@code StepGraph}, goes through a {@code TrunkGraph}, and becomes an action in {@code
 * ActionGraph}; all of them are made of {@code LayerGraph}, the layers of {@link org.fovea.nn} as operators, and these of {@code
 * OnnxGraph}. Parameters are found by the names that they have in {@link org.fovea.rl.policy}. {@code format} has the messages that
 * ONNX is written in, generated from {@code src/main/protobuf/onnx.proto}.
 */
@NullMarked
package org.fovea.onnx;

import org.jspecify.annotations.NullMarked;
