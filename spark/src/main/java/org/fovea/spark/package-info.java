// SPDX-License-Identifier: Apache-2.0
/**
 * Training on a Spark cluster. Start with {@link org.fovea.spark.TrainOnSpark}, the application for spark-submit.
 *
 * <p>Spark starts ranks, gives them their cores and devices, tells them where they find each other and starts them again; what goes from
 * rank to rank while they train is Fovea's own affair. Every rank, and every cell of a sweep, is a process of its own beside the executor,
 * since Fovea
 *
 * <ul>
 *   <li>needs {@code --add-modules jdk.incubator.vector}, which an executor has only where somebody thought of it
 *   <li>has other versions of Jackson and Protobuf than Spark's, whose own classes come first in an executor
 *   <li>reaches devices by native code, of which a class loader has one copy, and whose failure would take the executor along
 * </ul>
 */
package org.fovea.spark;
