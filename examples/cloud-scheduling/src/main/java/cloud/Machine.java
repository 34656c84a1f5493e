// SPDX-License-Identifier: Apache-2.0
package cloud;

/** A host as a scheduler sees it. */
final class Machine {
    final int cores;
    final int speed;
    final double price;
    int free;
    double busyUntil;

    /**
     * An idle host.
     *
     * @param speed of a core, millions of instructions a second
     * @param price in cents for each second in which any core is in use: an idle host is switched off
     */
    Machine(int cores, int speed, double price) {
        this.cores = cores;
        this.speed = speed;
        this.price = price;
        this.free = cores;
    }

    boolean isOn() {
        return free < cores;
    }

    boolean fits(Job job) {
        return free >= job.cores();
    }

    double seconds(Job job) {
        return (double) job.work() / speed;
    }

    /** Seconds until it is switched off if it is given nothing more. */
    double secondsLeft(double now) {
        return isOn() ? Math.max(0, busyUntil - now) : 0;
    }

    /** Cents for the time that it has to stay on longer if it takes the job. */
    double addedCost(Job job, double now) {
        return price * Math.max(0, seconds(job) - secondsLeft(now));
    }
}
