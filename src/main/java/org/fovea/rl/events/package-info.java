// SPDX-License-Identifier: Apache-2.0
/**
 * Event files, which TensorBoard reads: {@link org.fovea.rl.events.EventFile}, whose messages are generated from {@code event.proto}.
 */
@NullMarked
package org.fovea.rl.events;

import org.jspecify.annotations.NullMarked;
