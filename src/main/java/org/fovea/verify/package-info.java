/**
 * What every backend must get right, and how it is held against the reference.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.verify;

import org.jspecify.annotations.NullMarked;
