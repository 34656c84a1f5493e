// SPDX-License-Identifier: Apache-2.0
/**
 * Pictures for paper and web pages, drawn once for both: a {@link org.fovea.rl.chart.Drawing}, such as a {@link
 * org.fovea.rl.chart.LineChart}, draws on a {@link org.fovea.rl.chart.Canvas}, which is SVG or pixels.
 */
@NullMarked
package org.fovea.rl.chart;

import org.jspecify.annotations.NullMarked;
