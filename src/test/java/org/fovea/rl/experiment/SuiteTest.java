// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.experiment.CellResult.Score;
import org.fovea.rl.experiment.Experiment.Outcome;
import org.fovea.rl.experiment.Experiment.State;
import org.fovea.rl.experiment.Suite.Entry;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.RunSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SuiteTest {
    static List<String> names() {
        return Suite.names();
    }

    @Test
    void thereAreFive() {
        assertThat(Suite.names()).containsExactly("classic", "memory", "popgym", "spatial", "gym");
        assertThatThrownBy(() -> Suite.of("clasic"))
                .isInstanceOf(UnknownNameException.class)
                .hasMessageContaining("nearest: classic");
    }

    /**
     * Every environment is built in, or of Python and then perhaps not installed; names of groups are unique, and no rung of the
     * ladder is above a higher one. What is to be beaten has a source, though it be that it is only aimed at.
     */
    @ParameterizedTest
    @MethodSource("names")
    void everyEntryCanBeRunWhereItsEnvironmentIs(String name) {
        List<String> groups = new ArrayList<>();
        for (Entry entry : Suite.of(name).entries()) {
            groups.add(entry.group());
            assertThat(Double.isNaN(entry.toBeat()))
                    .as(entry.group())
                    .isEqualTo(entry.source().isEmpty());
            assertThat(entry.random() > entry.memoryless()
                            || entry.memoryless() > entry.perfect()
                            || entry.random() > entry.perfect())
                    .as(entry.group())
                    .isFalse();
            if (entry.unavailable().isEmpty()) {
                Cell cell = entry.cell(2);
                assertThat(cell.name()).isEqualTo(entry.group() + "-seed2");
                assertThat(cell.spec().environment()).isEqualTo(entry.environment());
                Map<String, String> settings = new HashMap<>(entry.settings());
                int environments = cell.spec().environments();
                assertThat(settings.getOrDefault("envs", "" + environments)).isEqualTo("" + environments);
                settings.remove("envs");
                RunSpec again = cell.spec().with(settings);
                assertThat(again).as(entry.group()).isEqualTo(cell.spec());
                agreesWithTheEnvironment(entry);
            } else {
                assertThat(entry.environment()).as(entry.unavailable()).startsWith("gym:");
            }
        }
        assertThat(groups).doesNotHaveDuplicates().isNotEmpty();
    }

    @Test
    void aPolicyMayHaveSettingsOfItsOwn() {
        Entry entry = Suite.of("popgym").entries().stream()
                .filter(one -> one.group().equals("popgym-MultiarmedBanditEasy-v0-ppo-gru-width=88"))
                .findFirst()
                .orElseThrow();
        assertThat(entry.policy()).isEqualTo(PolicyKind.GRU);
        assertThat(entry.label()).isEqualTo("gru width=88");
        assertThat(entry.settings()).containsEntry("width", "88").containsEntry("window", "200");
    }

    private static void agreesWithTheEnvironment(Entry entry) {
        EnvironmentSpec spec = Environments.get(entry.environment());
        Map<String, Double> known = new HashMap<>();
        spec.references().forEach(reference -> known.put(reference.name(), reference.meanReturn()));
        Map<String, Double> ladder =
                Map.of("random", entry.random(), "best without memory", entry.memoryless(), "optimum", entry.perfect());
        ladder.forEach((name, value) ->
                assertThat(value).as(name + " of " + entry.group()).isEqualTo(known.getOrDefault(name, value)));
    }

    @Test
    void theFirstSeedOfAllComesBeforeTheSecondOfAny() {
        List<Entry> entries = Suite.of("classic").entries().stream()
                .filter(entry -> entry.unavailable().isEmpty())
                .toList();
        List<Cell> cells = Suite.cells(entries, 2);
        assertThat(cells).hasSize(2 * entries.size());
        assertThat(cells.subList(0, entries.size()))
                .allMatch(cell -> cell.spec().seed() == 1);
    }

    @Test
    void theReportHasScoresBesideTheLadderAndWhatIsMissing() {
        Entry chain = Suite.of("memory").entries().stream()
                .filter(entry -> entry.group().equals("MemoryChain-v0-length=5-ppo-attention"))
                .findFirst()
                .orElseThrow();
        Entry other = Suite.of("memory").entries().get(0);
        List<Outcome> outcomes = new ArrayList<>();
        double[] scores = {0.5, 1, 0.75};
        for (int seed = 1; seed <= 3; seed++) {
            Score score = new Score(scores[seed - 1], 0.01 * seed, 100, 0);
            CellResult result = new CellResult(
                    chain.group(),
                    Map.of("seed", "" + seed),
                    "complete",
                    score,
                    score,
                    330_000,
                    10,
                    new Curve(new double[] {1, 2}, new double[] {0, scores[seed - 1]}),
                    "cpu",
                    "2026-01-01T00:00:00Z",
                    new Provenance("fovea suite memory", "1.0", "abc", "machine", "17"));
            outcomes.add(new Outcome(chain.cell(seed), State.DONE, result, null));
        }
        outcomes.add(new Outcome(other.cell(1), State.BEGUN, null, null));
        Map<Entry, String> notRun = new LinkedHashMap<>();
        notRun.put(Suite.of("gym").entries().get(0), "not available: no such thing");

        SuiteReport report = SuiteReport.of(Suite.of("memory"), notRun, outcomes);

        assertThat(report.markdown())
                .contains("| MemoryChain-v0:length=5 | ppo, attention | 330,000 | 3 | 0.750 [0.500, 1] ± 0.030 |")
                .contains("| 0.950 | 0 | 0 | 1 |")
                .contains("| ppo, attention | 1 | 0.750 [0.500, 1] |")
                .contains("- gym-CliffWalking-v1-ppo-mlp: not available: no such thing")
                .contains("- " + other.group() + ": begun")
                .contains("`fovea suite memory` on machine");
        assertThat(report.pictures()).containsOnlyKeys("curves/MemoryChain-v0-length=5.svg");
        assertThat(report.pictures().values()).first().asString().contains("to beat 0.950", "perfect 1");
    }
}
