/** Optimisers. */
@NullMarked
package org.fovea.optim;

import org.jspecify.annotations.NullMarked;
