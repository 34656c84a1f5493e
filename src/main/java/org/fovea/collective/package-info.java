// SPDX-License-Identifier: Apache-2.0
/**
 * What members of a run that is trained by several at once tell each other: {@link org.fovea.collective.Collective}. A member has
 * some of the environments and a copy of the policy. Processes find each other by {@link org.fovea.collective.RankSettings}; a {@link
 * org.fovea.collective.CollectiveProvider} adds a faster way between devices.
 *
 * <p>Sums are one binary tree over all members in order, wherever these are: the same bits from one process and from four.
 */
@NullMarked
package org.fovea.collective;

import org.jspecify.annotations.NullMarked;
