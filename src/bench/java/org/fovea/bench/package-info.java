// SPDX-License-Identifier: Apache-2.0
/** JMH benchmarks; a test of the same name runs each body once and checks what it computes. */
package org.fovea.bench;
