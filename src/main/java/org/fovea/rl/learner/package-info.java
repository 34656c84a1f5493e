/**
 * What all algorithms share: {@link org.fovea.rl.learner.Learner}, the order of minibatches, statistics of an update.
 */
@NullMarked
package org.fovea.rl.learner;

import org.jspecify.annotations.NullMarked;
