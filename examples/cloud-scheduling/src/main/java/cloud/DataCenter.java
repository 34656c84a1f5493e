// SPDX-License-Identifier: Apache-2.0
package cloud;

import ch.qos.logback.classic.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.cloudsimplus.brokers.DatacenterBroker;
import org.cloudsimplus.brokers.DatacenterBrokerSimple;
import org.cloudsimplus.cloudlets.Cloudlet;
import org.cloudsimplus.cloudlets.CloudletSimple;
import org.cloudsimplus.core.CloudSimEntity;
import org.cloudsimplus.core.CloudSimPlus;
import org.cloudsimplus.core.CloudSimTag;
import org.cloudsimplus.core.events.SimEvent;
import org.cloudsimplus.datacenters.DatacenterSimple;
import org.cloudsimplus.hosts.Host;
import org.cloudsimplus.hosts.HostSimple;
import org.cloudsimplus.resources.Pe;
import org.cloudsimplus.resources.PeSimple;
import org.cloudsimplus.schedulers.cloudlet.CloudletSchedulerSpaceShared;
import org.cloudsimplus.util.Log;
import org.cloudsimplus.utilizationmodels.UtilizationModel;
import org.cloudsimplus.utilizationmodels.UtilizationModelDynamic;
import org.cloudsimplus.utilizationmodels.UtilizationModelFull;
import org.cloudsimplus.vms.Vm;
import org.cloudsimplus.vms.VmSimple;

/**
 * A day of a small data centre in CloudSim Plus: ten hosts of three kinds and 150 jobs that arrive in quiet and busy times. Jobs
 * wait in order of arrival; the first is placed, and starts at once, as soon as it fits on some host.
 */
final class DataCenter {
    static final int JOBS = 150;
    static final int MACHINES = 10;

    /** Cents for each second that a job waits. */
    static final double WAITING_PRICE = 0.01;

    /** Of the cost of cores without a job, what is told where a host has to stay on longer, and not as time goes by. */
    private static final double IDLE_AT_ONCE = 0.5;

    private static final double FIRST_ARRIVAL = 5;

    /** Of the newest gap between arrivals in their moving average. */
    private static final double GAP_WEIGHT = 0.2;

    static {
        Log.setLevel(Level.OFF);
    }

    final List<Machine> machines = new ArrayList<>();
    private final List<Vm> vms = new ArrayList<>();
    private final Deque<Job> waiting = new ArrayDeque<>();
    private final Placement placement;
    private final Spending spending;
    private final CloudSimPlus simulation = new CloudSimPlus();
    private final DatacenterBroker broker;
    private double accountedTo;
    private int arrived;
    private double lastArrival;
    private double meanGap = FIRST_ARRIVAL;
    private int finished;
    private double cost;
    private double waited;

    /**
     * Told what is spent, in cents, beyond what jobs cost at least (their own cores on the hosts that are cheapest when full), which
     * no placement changes: on waiting, and on cores without a job, as {@link #IDLE_AT_ONCE} divides it. Of a whole episode it is the
     * same as what hosts and waiting cost, less those least costs.
     */
    interface Spending {
        void spent(double cents);
    }

    DataCenter(long seed, Placement placement, Spending spending) {
        this.placement = placement;
        this.spending = spending;
        List<Host> hosts = new ArrayList<>();
        for (int i = 0; i < MACHINES; i++) {
            Machine machine = i < 3
                    ? new Machine(16, 2000, 0.03)
                    : i < 7 ? new Machine(8, 1000, 0.01) : new Machine(4, 600, 0.004);
            machines.add(machine);
            List<Pe> cores = new ArrayList<>();
            for (int core = 0; core < machine.cores; core++) {
                cores.add(new PeSimple(machine.speed));
            }
            hosts.add(new HostSimple(1 << 20, 1 << 20, 1 << 20, cores));
        }
        new DatacenterSimple(simulation, hosts);
        broker = new DatacenterBrokerSimple(simulation);
        broker.setShutdownWhenIdle(false);
        for (Machine machine : machines) {
            Vm vm = new VmSimple(machine.speed, machine.cores);
            vm.setRam(1024).setBw(1024).setSize(1024);
            vm.setCloudletScheduler(new CloudletSchedulerSpaceShared());
            vms.add(vm);
        }
        // One virtual machine takes all of each host, the largest first, as the hosts are.
        broker.submitVmList(vms);
        new Arrivals(seed);
    }

    /** Simulates until all jobs are done. */
    void run() {
        simulation.start();
    }

    /** In cents. */
    double cost() {
        return cost;
    }

    /** Seconds from arrival to start, on average. */
    double meanWait() {
        return waited / JOBS;
    }

    /** Cents for hosts and waiting, for each job. */
    double objective() {
        return (cost + WAITING_PRICE * waited) / JOBS;
    }

    double now() {
        return simulation.clock();
    }

    /** Seconds between the last arrivals: a moving average that tells quiet times from busy ones. */
    double meanGap() {
        return meanGap;
    }

    /** Jobs so far: how late in the day it is. */
    int arrived() {
        return arrived;
    }

    private void account() {
        double seconds = now() - accountedTo;
        accountedTo = now();
        for (Machine machine : machines) {
            if (machine.isOn()) {
                cost += machine.price * seconds;
                spending.spent((1 - IDLE_AT_ONCE) * machine.price * machine.free / machine.cores * seconds);
            }
        }
        waited += waiting.size() * seconds;
        spending.spent(WAITING_PRICE * waiting.size() * seconds);
    }

    private void placeWhatFits() {
        while (!waiting.isEmpty() && machines.stream().anyMatch(machine -> machine.fits(waiting.peek()))) {
            Job job = waiting.peek();
            int index = placement.place(this, job, waiting.size() - 1);
            waiting.remove();
            start(job, index);
        }
    }

    private void start(Job job, int index) {
        Machine machine = machines.get(index);
        double share = machines.stream().mapToDouble(each -> each.share(job)).min().orElseThrow();
        double idleBefore = machine.idleCost(now());
        machine.start(job, now());
        spending.spent(machine.share(job) - share + IDLE_AT_ONCE * (machine.idleCost(now()) - idleBefore));
        UtilizationModel little = new UtilizationModelDynamic(0.001);
        Cloudlet cloudlet = new CloudletSimple(job.work(), job.cores());
        cloudlet.setUtilizationModelCpu(new UtilizationModelFull())
                .setUtilizationModelRam(little)
                .setUtilizationModelBw(little);
        cloudlet.setVm(vms.get(index));
        cloudlet.addOnFinishListener(event -> {
            account();
            machine.finish(job, now());
            finished++;
            placeWhatFits();
            if (finished == JOBS) {
                simulation.terminate();
            }
        });
        broker.submitCloudlet(cloudlet);
    }

    /** Brings the jobs. */
    private final class Arrivals extends CloudSimEntity {
        private final Random random;

        Arrivals(long seed) {
            super(simulation);
            random = new Random(seed);
        }

        @Override
        protected void startInternal() {
            double time = FIRST_ARRIVAL;
            for (int i = 0; i < JOBS; i++) {
                boolean busy = i / 25 % 2 == 1;
                time += -Math.log(1 - random.nextDouble()) * (busy ? 2 : 9);
                int cores = 1 << Math.min(3, (int) (4 * random.nextDouble() * random.nextDouble() * 1.3));
                long work = (long) (10_000 * Math.pow(100, random.nextDouble()));
                schedule(time, CloudSimTag.NONE, new Job(cores, work, time));
            }
        }

        @Override
        public void processEvent(SimEvent event) {
            if (event.getData() instanceof Job job) {
                account();
                meanGap += GAP_WEIGHT * (now() - lastArrival - meanGap);
                lastArrival = now();
                arrived++;
                waiting.add(job);
                placeWhatFits();
            }
        }
    }
}
