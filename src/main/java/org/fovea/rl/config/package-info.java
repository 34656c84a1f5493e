/**
 * Hyper-parameters as records, read by name, with the defaults of each environment. Start with {@link
 * org.fovea.rl.config.AlgorithmConfig}; {@link org.fovea.rl.run.Defaults} chooses.
 */
@NullMarked
package org.fovea.rl.config;

import org.jspecify.annotations.NullMarked;
