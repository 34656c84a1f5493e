package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What nvcc compiled, against what Java launches. */
class KernelImageTest {
    private static final ByteBuffer BUFFER = ByteBuffer.allocateDirect(4096);

    @Test
    void kernelsTakeStructsOfTheSizeThatJavaWrites() throws IOException {
        Path ptx = Path.of("target", "generated-sources", "kernels", "fovea.ptx");
        assumeTrue(Files.exists(ptx), () -> "no PTX: " + KernelImage.description());
        Map<String, Integer> sizes = new TreeMap<>();
        Matcher entries = Pattern.compile("\\.entry (\\w+)\\(\\s*\\.param \\.align \\d+ \\.b8 \\w+\\[(\\d+)]\\s*\\)")
                .matcher(Files.readString(ptx));
        while (entries.find()) {
            sizes.put(entries.group(1), Integer.parseInt(entries.group(2)));
        }

        Map<String, Integer> expected = new TreeMap<>();
        expected.put("gemm", new GemmParams(BUFFER).size);
        expected.put("map_unary", new MapParams(BUFFER).size);
        expected.put("zip_binary", new ZipParams(BUFFER).size);
        expected.put("zip_rows", new ZipRowsParams(BUFFER).size);
        expected.put("arrange", new ArrangeParams(BUFFER).size);
        expected.put("arrange_vectors", new ArrangeParams(BUFFER).size);
        expected.put("select_elements", new SelectParams(BUFFER).size);
        expected.put("reduce_short", new ReduceParams(BUFFER).size);
        expected.put("reduce_long", new ReduceParams(BUFFER).size);
        expected.put("gather_rows", new GatherParams(BUFFER).size);
        expected.put("gather_vectors", new GatherParams(BUFFER).size);
        expected.put("scatter_chunks", new ScatterParams(BUFFER).size);
        expected.put("scatter_table", new ScatterParams(BUFFER).size);
        expected.put("iota", new IotaParams(BUFFER).size);
        expected.put("uniform", new UniformParams(BUFFER).size);
        expected.put("softmax", new SoftmaxParams(BUFFER).size);
        expected.put("log_softmax", new SoftmaxParams(BUFFER).size);
        expected.put("layer_norm", new LayerNormParams(BUFFER).size);
        expected.put("layer_norm_backward", new LayerNormBackwardParams(BUFFER).size);
        expected.put("layer_norm_gradients", new LayerNormGradientsParams(BUFFER).size);
        expected.put("rotary", new RotaryParams(BUFFER).size);
        expected.put("standardize_moments", new StandardizeParams(BUFFER).size);
        expected.put("standardize", new StandardizeParams(BUFFER).size);
        expected.put("argmax", new ArgmaxParams(BUFFER).size);
        expected.put("sample_categorical", new SampleCategoricalParams(BUFFER).size);
        expected.put("sample_gaussian", new SampleGaussianParams(BUFFER).size);
        expected.put("advantages", new AdvantagesParams(BUFFER).size);
        expected.put("ppo_categorical", new PpoCategoricalParams(BUFFER).size);
        expected.put("ppo_gaussian", new PpoGaussianParams(BUFFER).size);
        expected.put("ppo_statistics", new PpoStatisticsParams(BUFFER).size);
        expected.put("adam_norm", new AdamParams(BUFFER).size);
        expected.put("adam_prepare", new AdamParams(BUFFER).size);
        expected.put("adam_update", new AdamParams(BUFFER).size);
        for (AttentionTile tile : AttentionTile.ALL) {
            expected.put(tile.kernelName(), new AttentionForwardParams(BUFFER).size);
        }
        assertThat(sizes).isEqualTo(expected);
    }

    @Test
    void aForgottenParameterIsNamed() {
        MapParams params = new MapParams(BUFFER).x(1).y(2).op(0);
        assertThatThrownBy(() -> params.complete("map_unary"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("launch of map_unary: parameter count was not set");
    }

    @Test
    void tilesAreAsSmallAsTheShapeAllows() {
        assertThat(tile(16, 10)).isEqualTo(new AttentionTile(32, 16, 16));
        assertThat(tile(33, 16)).isEqualTo(new AttentionTile(64, 16, 16));
        assertThat(tile(32, 17)).isEqualTo(new AttentionTile(32, 64, 64));
        assertThat(tile(64, 2048)).isEqualTo(new AttentionTile(64, 64, 64));
        assertThat(tile(65, 1)).isEqualTo(new AttentionTile(128, 64, 32));
        assertThat(tile(256, 1)).isEqualTo(new AttentionTile(256, 32, 32));
    }

    private static AttentionTile tile(int dim, int queries) {
        return AttentionTile.ALL[AttentionTile.choose(dim, queries)];
    }
}
