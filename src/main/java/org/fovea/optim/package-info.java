/** Optimisers and their learning rates. */
@NullMarked
package org.fovea.optim;

import org.jspecify.annotations.NullMarked;
