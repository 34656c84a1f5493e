/** The command line: parsing and printing, nothing else. {@link org.fovea.cli.Fovea} alone is API. */
@NullMarked
package org.fovea.cli;

import org.jspecify.annotations.NullMarked;
