@NullMarked
package org.fovea.attention;

import org.jspecify.annotations.NullMarked;
