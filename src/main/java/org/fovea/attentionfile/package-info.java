// SPDX-License-Identifier: Apache-2.0
/**
 * Attention from file to file: what a request may hold, what it asks for, and the answer.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.attentionfile;

import org.jspecify.annotations.NullMarked;
