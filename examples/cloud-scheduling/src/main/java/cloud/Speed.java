// SPDX-License-Identifier: Apache-2.0
package cloud;

import java.util.Locale;
import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Step;
import py4j.GatewayServer;

/**
 * Decisions a second on one thread, drawn at random: of the simulator alone, as an environment of Fovea's, and, by
 * {@code py4j}, as a server for {@code py4j_client.py}.
 */
public final class Speed {
    private static final int EPISODES = 60;

    private Speed() {}

    public static void main(String[] arguments) {
        if (arguments.length > 0 && arguments[0].equals("py4j")) {
            new GatewayServer(new Session(), 0, 0, GatewayServer.DEFAULT_CONNECT_TIMEOUT, 0, null) {
                @Override
                public void start(boolean fork) {
                    super.start(fork);
                    System.out.println(getListeningPort());
                }
            }.start();
            return;
        }
        for (int round = 0; round < 6; round++) {
            alone();
            byFovea();
        }
    }

    private static void alone() {
        long start = System.nanoTime();
        for (int episode = 0; episode < EPISODES; episode++) {
            Placement random = Placement.rules().get("random").apply(episode);
            new DataCenter(episode, random, cents -> {}).run();
        }
        report("simulator alone", start);
    }

    private static void byFovea() {
        try (CloudScheduling environment = new CloudScheduling()) {
            Random random = new Random(1);
            long start = System.nanoTime();
            for (int episode = 0; episode < EPISODES; episode++) {
                environment.reset(episode);
                boolean ended = false;
                while (!ended) {
                    boolean[] mask = environment.actionMask();
                    int choice = random.nextInt(DataCenter.MACHINES);
                    while (mask != null && !mask[choice]) {
                        choice = random.nextInt(DataCenter.MACHINES);
                    }
                    ended = environment.step(Action.of(choice)).terminated();
                }
            }
            report("CallbackEnvironment", start);
        }
    }

    private static void report(String what, long start) {
        double seconds = (System.nanoTime() - start) * 1e-9;
        System.out.printf(
                Locale.ROOT, "%-20s %,8.0f decisions/s%n", what, EPISODES * DataCenter.JOBS / seconds);
    }

    /** What Python calls: each step one call, its result one text. */
    public static final class Session {
        private final CloudScheduling environment = new CloudScheduling();

        /** The first observation and mask. */
        public String reset(long seed) {
            return text(environment.reset(seed), 0, false);
        }

        /** What follows. */
        public String step(int choice) {
            Step step = environment.step(Action.of(choice));
            return text(step.observation(), step.reward(), step.terminated());
        }

        private String text(float[] observation, double reward, boolean ended) {
            StringBuilder json = new StringBuilder("{\"reward\":").append(reward).append(",\"ended\":").append(ended);
            String separator = ",\"observation\":[";
            for (float number : observation) {
                json.append(separator).append(number);
                separator = ",";
            }
            separator = "],\"mask\":[";
            boolean[] mask = environment.actionMask();
            for (int i = 0; mask != null && i < mask.length; i++) {
                json.append(separator).append(mask[i]);
                separator = ",";
            }
            return json.append("]}").toString();
        }
    }
}
