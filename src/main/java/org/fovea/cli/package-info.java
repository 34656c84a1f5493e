/** The command line: parsing and printing, nothing else. */
@NullMarked
package org.fovea.cli;

import org.jspecify.annotations.NullMarked;
