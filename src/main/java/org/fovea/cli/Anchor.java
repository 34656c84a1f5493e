package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.fovea.env.Environments;

/** A return that a result can be held against. */
record Anchor(String name, double meanReturn) {

    /** What is known of an environment, best first. */
    static List<Anchor> of(String environment) {
        int colon = environment.indexOf(':');
        return switch (colon < 0 ? environment : environment.substring(0, colon)) {
            case "ProofOfMemory-v0" -> List.of(new Anchor("optimum", 1.20), new Anchor("best without memory", -0.28));
            case "MemoryChain-v0" -> List.of(new Anchor("optimum", 1), new Anchor("best without memory", 0));
            case "CartPole-v1" -> List.of(new Anchor("optimum", 500), new Anchor("random", 22));
            case "popgym-RepeatPreviousEasy-v0" ->
                List.of(new Anchor("optimum", 1), new Anchor("counting suits", -0.34), new Anchor("random", -0.50));
            case "popgym-RepeatPreviousMedium-v0" ->
                List.of(new Anchor("optimum", 1), new Anchor("counting suits", -0.43), new Anchor("random", -0.50));
            case "popgym-RepeatPreviousHard-v0" ->
                List.of(new Anchor("optimum", 1), new Anchor("counting suits", -0.44), new Anchor("random", -0.50));
            default -> solved(environment);
        };
    }

    private static List<Anchor> solved(String environment) {
        List<Anchor> anchors = new ArrayList<>();
        OptionalDouble solvedAt = Environments.get(environment).solvedAt();
        solvedAt.ifPresent(score -> anchors.add(new Anchor("counts as solved", score)));
        return anchors;
    }
}
