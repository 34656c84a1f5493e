@NullMarked
package org.fovea.nn;

import org.jspecify.annotations.NullMarked;
