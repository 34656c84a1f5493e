// SPDX-License-Identifier: Apache-2.0
/**
 * A local page that shows the runs of a directory: {@link org.fovea.dashboard.Dashboard} serves it.
 *
 * <p>{@link org.fovea.dashboard.Guard} says who is served, {@link org.fovea.dashboard.RunIndex} knows the runs, {@link
 * org.fovea.dashboard.Table} reads their tables as they grow, and {@link org.fovea.dashboard.Episodes} plays what is to be looked at.
 * The page itself, HTML and JavaScript without a build step, is in the resources of this package.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.dashboard;

import org.jspecify.annotations.NullMarked;
