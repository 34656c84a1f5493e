@NullMarked
package org.fovea.tensor;

import org.jspecify.annotations.NullMarked;
