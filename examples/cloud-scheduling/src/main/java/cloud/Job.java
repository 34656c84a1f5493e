// SPDX-License-Identifier: Apache-2.0
package cloud;

/**
 * A batch job.
 *
 * @param cores that it needs, all on one host
 * @param work millions of instructions for each of them
 * @param arrival in seconds
 */
record Job(int cores, long work, double arrival) {}
