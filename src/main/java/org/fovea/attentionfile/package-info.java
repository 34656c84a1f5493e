/** Attention from file to file: what a request may hold, what it asks for, and the answer. */
@NullMarked
package org.fovea.attentionfile;

import org.jspecify.annotations.NullMarked;
