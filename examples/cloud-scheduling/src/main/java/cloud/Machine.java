// SPDX-License-Identifier: Apache-2.0
package cloud;

/** A host as a scheduler sees it. */
final class Machine {
    final int cores;
    final int speed;
    final double price;
    int free;
    private double busyUntil;

    /** Of the jobs on it, cores × the second in which they end. */
    private double coreEnds;

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

    void start(Job job, double now) {
        free -= job.cores();
        busyUntil = Math.max(busyUntil, now + seconds(job));
        coreEnds += job.cores() * (now + seconds(job));
    }

    void finish(Job job, double now) {
        free += job.cores();
        coreEnds = isOn() ? coreEnds - job.cores() * now : 0;
    }

    /** Seconds for which its cores are taken, all of them together. */
    double coreSecondsLeft(double now) {
        return Math.max(0, coreEnds - (cores - free) * now);
    }

    /** Cents that it still costs for cores without a job if it is given nothing more. */
    double idleCost(double now) {
        return price * (secondsLeft(now) - coreSecondsLeft(now) / cores);
    }

    /** Seconds until it is switched off if it is given nothing more. */
    double secondsLeft(double now) {
        return isOn() ? Math.max(0, busyUntil - now) : 0;
    }

    /** Cents for the job's cores alone, as if all others were in use as well. */
    double share(Job job) {
        return price * seconds(job) * job.cores() / cores;
    }

    /** Cents for the time that it has to stay on longer if it takes the job. */
    double addedCost(Job job, double now) {
        return price * Math.max(0, seconds(job) - secondsLeft(now));
    }
}
