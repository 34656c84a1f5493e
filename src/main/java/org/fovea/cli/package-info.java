// SPDX-License-Identifier: Apache-2.0
/**
 * The command line: parsing and printing, nothing else. {@link org.fovea.cli.Fovea} alone is API.
 *
 * <p>{@link org.fovea.cli.Fovea#main} runs the commands that {@link org.fovea.cli.FoveaCommand} lists, a class each; those
 * that compute are {@link org.fovea.cli.BackendCommand}s. {@link org.fovea.cli.Failures} turns what they throw into one line
 * and an exit code, {@link org.fovea.cli.Interruption} a signal into an orderly end.
 */
@NullMarked
package org.fovea.cli;

import org.jspecify.annotations.NullMarked;
