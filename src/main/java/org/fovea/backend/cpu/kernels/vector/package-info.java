// SPDX-License-Identifier: Apache-2.0
/** Kernels on the incubating Vector API, compiled apart; looked up by {@code org.fovea.backend.cpu} when the module is there. */
@org.jspecify.annotations.NullMarked
package org.fovea.backend.cpu.kernels.vector;
