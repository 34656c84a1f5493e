// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.cli.EpisodeOptions.Recorded;
import org.fovea.rl.chart.Drawing;
import org.fovea.rl.chart.HeatMaps;
import org.fovea.rl.evaluation.AttentionMap;
import org.fovea.rl.evaluation.AttentionMap.Over;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Draws what a policy attended to. */
@Command(
        name = "attention-map",
        abbreviateSynopsis = true,
        header =
                "Draw what a policy attended to in an episode: a map for each layer and head, a row for each step, a column for"
                        + " each step before it, or for each entity.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea attention-map runs/mine -o map.png",
            "  fovea attention-map runs/mine --episode 7 --layer 0 --head 2 -o map.svg",
            "  fovea attention-map runs/mine --json            the numbers, without a picture"
        })
final class AttentionMapCommand extends BackendCommand {
    @Mixin
    private EpisodeOptions episode = new EpisodeOptions();

    @Option(names = "-o", paramLabel = "FILE", description = "The picture, .png or .svg.")
    private @Nullable Path file;

    @Option(names = "--json", description = "Print the weights, [step][head][key], as one JSON object.")
    private boolean json;

    AttentionMapCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        if (file == null && !json) {
            throw new UsageException("say where the picture goes: -o map.png, or map.svg; or --json for the numbers");
        }
        if (file != null) {
            Path picture = file;
            UsageException.ifIllegal(() -> {
                Drawing.requirePicture(picture);
                return picture;
            });
        }
        episode.apply();
        Recorded recorded;
        try (Backend backend = open(backendSettings)) {
            recorded = episode.record(backend, terminal);
        }
        List<AttentionMap> layers = episode.layers(recorded.episode());
        if (layers.isEmpty()) {
            throw episode.noSuchLayer(recorded.episode());
        }
        if (file != null) {
            draw(recorded, layers).write(file);
            terminal.notices().println("attention of " + recorded.steps() + " steps in " + file);
        }
        if (json) {
            terminal.out().println(json(recorded, layers));
        }
        return 0;
    }

    private HeatMaps draw(Recorded recorded, List<AttentionMap> layers) {
        List<HeatMaps.Map> maps = new ArrayList<>();
        int most = 1;
        for (AttentionMap layer : layers) {
            for (int head : heads(layer)) {
                String name = layer.over() == Over.STEPS ? "layer " + layer.layer() : layer.name();
                String label = name + (layer.heads() == 1 ? "" : ", head " + head);
                maps.add(new HeatMaps.Map(label, matrix(layer, head)));
            }
            most = Math.max(most, heads(layer).length);
        }
        boolean isOverSteps = layers.stream().allMatch(layer -> layer.over() == Over.STEPS);
        return new HeatMaps(
                String.format(
                        Locale.ROOT,
                        "%s, episode %d: return %s",
                        recorded.environment(),
                        recorded.episode().seed(),
                        NumberFormats.score(recorded.episode().totalReward())),
                "what each step attended to, as probabilities: a row of each map adds up to 1",
                "at step",
                isOverSteps ? "step attended to" : "step or entity attended to",
                maps,
                Math.min(most, 4));
    }

    private int[] heads(AttentionMap layer) {
        if (episode.head != null) {
            return new int[] {episode.head};
        }
        int[] heads = new int[layer.heads()];
        Arrays.setAll(heads, head -> head);
        return heads;
    }

    /** Steps by steps, or by entities, as their mean sees them. */
    private static float[][] matrix(AttentionMap layer, int head) {
        boolean isOverSteps = layer.over() == Over.STEPS;
        float[][] matrix = new float[layer.steps()][isOverSteps ? layer.steps() : layer.keys()];
        for (int step = 0; step < layer.steps(); step++) {
            if (isOverSteps) {
                Arrays.fill(matrix[step], Float.NaN);
            }
            for (int key = 0; key < layer.keys(); key++) {
                if (!isOverSteps) {
                    for (int query = 0; query < layer.queries(); query++) {
                        matrix[step][key] += layer.weight(step, head, query, key) / layer.queries();
                    }
                } else if (key <= step) {
                    matrix[step][step - key] = layer.weight(step, head, 0, key);
                }
            }
        }
        return matrix;
    }

    private Json json(Recorded recorded, List<AttentionMap> layers) {
        List<Json> all = new ArrayList<>();
        for (AttentionMap layer : layers) {
            List<List<float[]>> weights = new ArrayList<>();
            for (int step = 0; step < layer.steps(); step++) {
                List<float[]> ofStep = new ArrayList<>();
                for (int head : heads(layer)) {
                    float[] row = matrix(layer, head)[step];
                    ofStep.add(layer.over() == Over.STEPS ? Arrays.copyOf(row, step + 1) : row);
                }
                weights.add(ofStep);
            }
            all.add(new Json()
                    .with("layer", layer.layer())
                    .with("over", layer.over().name().toLowerCase(Locale.ROOT))
                    .with("heads", heads(layer).length)
                    .withArray("weights", weights));
        }
        return new Json()
                .with("env", recorded.environment())
                .with("run_dir", episode.runDirectory.toString())
                .with("episode", recorded.episode().seed())
                .with("steps", recorded.steps())
                .with("return", recorded.episode().totalReward())
                .with("layers", all);
    }
}
