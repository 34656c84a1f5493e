/** What every backend must get right, and how it is held against the reference. */
@NullMarked
package org.fovea.verify;

import org.jspecify.annotations.NullMarked;
