// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.LongFunction;

/** Chooses a host for a job. */
interface Placement {
    /**
     * The index of a host that the job fits on; there is one at least.
     *
     * @param waiting jobs behind this one
     */
    int place(DataCenter center, Job job, int waiting);

    /** The usual rules, by name, given a seed. */
    static Map<String, LongFunction<Placement>> rules() {
        Map<String, LongFunction<Placement>> rules = new LinkedHashMap<>();
        rules.put("first-fit", seed -> (center, job, waiting) -> next(center.machines, job, 0));
        rules.put("best-fit", seed -> (center, job, waiting) -> fullest(center.machines, job));
        rules.put("least added cost", seed -> (center, job, waiting) -> cheapest(center, job));
        rules.put("round-robin", seed -> {
            int[] last = {-1};
            return (center, job, waiting) -> last[0] = next(center.machines, job, last[0] + 1);
        });
        rules.put("random", seed -> {
            Random random = new Random(seed);
            return (center, job, waiting) -> {
                int machine = random.nextInt(center.machines.size());
                while (!center.machines.get(machine).fits(job)) {
                    machine = random.nextInt(center.machines.size());
                }
                return machine;
            };
        });
        return rules;
    }

    private static int next(List<Machine> machines, Job job, int from) {
        int machine = from % machines.size();
        while (!machines.get(machine).fits(job)) {
            machine = (machine + 1) % machines.size();
        }
        return machine;
    }

    /** As CloudSim Plus's VmAllocationPolicyBestFit: of those that are on, else of all, the one with the fewest free cores. */
    private static int fullest(List<Machine> machines, Job job) {
        int best = -1;
        for (int i = 0; i < machines.size(); i++) {
            Machine machine = machines.get(i);
            if (machine.fits(job) && (best < 0 || isFuller(machine, machines.get(best)))) {
                best = i;
            }
        }
        return best;
    }

    private static int cheapest(DataCenter center, Job job) {
        int best = -1;
        for (int i = 0; i < center.machines.size(); i++) {
            Machine machine = center.machines.get(i);
            if (machine.fits(job)
                    && (best < 0
                            || machine.addedCost(job, center.now())
                                    < center.machines.get(best).addedCost(job, center.now()))) {
                best = i;
            }
        }
        return best;
    }

    private static boolean isFuller(Machine machine, Machine than) {
        return machine.isOn() != than.isOn() ? machine.isOn() : machine.free < than.free;
    }
}
