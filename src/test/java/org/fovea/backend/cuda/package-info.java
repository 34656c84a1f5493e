@NullMarked
package org.fovea.backend.cuda;

import org.jspecify.annotations.NullMarked;
