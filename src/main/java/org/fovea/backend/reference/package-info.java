/**
 * What every operation of a backend means, in float64 and plain loops. Nothing here is fast; all of it should be obvious. It is
 * what other backends are held against, and none that a computation is given to.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.backend.reference;

import org.jspecify.annotations.NullMarked;
