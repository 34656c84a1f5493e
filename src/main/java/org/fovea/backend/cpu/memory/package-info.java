/**
 * Memory of the CPU backend: blocks of Java arrays in a pool, {@link org.fovea.backend.cpu.memory.CpuArray} views of them, and scopes
 * that return them.
 */
@NullMarked
package org.fovea.backend.cpu.memory;

import org.jspecify.annotations.NullMarked;
