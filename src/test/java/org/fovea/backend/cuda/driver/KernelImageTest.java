// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.cuda.attention.AttentionSchedule;
import org.fovea.backend.cuda.math.GemmTile;
import org.fovea.backend.cuda.params.AdamParams;
import org.fovea.backend.cuda.params.AdvanceParams;
import org.fovea.backend.cuda.params.AdvantagesParams;
import org.fovea.backend.cuda.params.ArgmaxParams;
import org.fovea.backend.cuda.params.ArrangeParams;
import org.fovea.backend.cuda.params.AttentionDecodeParams;
import org.fovea.backend.cuda.params.AttentionNormalizeParams;
import org.fovea.backend.cuda.params.AttentionParams;
import org.fovea.backend.cuda.params.AttentionSeriesParams;
import org.fovea.backend.cuda.params.CastParams;
import org.fovea.backend.cuda.params.DivergenceParams;
import org.fovea.backend.cuda.params.EncodeParams;
import org.fovea.backend.cuda.params.EnumerateParams;
import org.fovea.backend.cuda.params.EnvironmentParams;
import org.fovea.backend.cuda.params.GatherParams;
import org.fovea.backend.cuda.params.GemmParams;
import org.fovea.backend.cuda.params.IotaParams;
import org.fovea.backend.cuda.params.LayerNormBackwardParams;
import org.fovea.backend.cuda.params.LayerNormParams;
import org.fovea.backend.cuda.params.LinearBackwardParams;
import org.fovea.backend.cuda.params.LinearLayersBackwardParams;
import org.fovea.backend.cuda.params.LinearLayersParams;
import org.fovea.backend.cuda.params.MapParams;
import org.fovea.backend.cuda.params.PlaceParams;
import org.fovea.backend.cuda.params.PpoCategoricalParams;
import org.fovea.backend.cuda.params.PpoGaussianParams;
import org.fovea.backend.cuda.params.ReduceParams;
import org.fovea.backend.cuda.params.RotaryParams;
import org.fovea.backend.cuda.params.SampleCategoricalParams;
import org.fovea.backend.cuda.params.SampleGaussianParams;
import org.fovea.backend.cuda.params.ScatterParams;
import org.fovea.backend.cuda.params.SelectParams;
import org.fovea.backend.cuda.params.SoftmaxParams;
import org.fovea.backend.cuda.params.StandardizeParams;
import org.fovea.backend.cuda.params.UniformParams;
import org.fovea.backend.cuda.params.ZipParams;
import org.fovea.backend.cuda.params.ZipRowsParams;
import org.fovea.backend.memory.DType;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.games.Games;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The kernels that nvcc compiled, against those that Java launches. */
@Tag("integration")
class KernelImageTest {
    private static final ByteBuffer BUFFER = ByteBuffer.allocateDirect(4096);

    @Test
    void kernelsTakeStructsOfTheSizeThatJavaWrites() throws IOException {
        Path ptx = Path.of("target", "kernels", "fovea.ptx");
        assumeTrue(Files.exists(ptx), () -> "no PTX: " + KernelImage.description());
        Map<String, Integer> sizes = new TreeMap<>();
        Matcher entries = Pattern.compile("\\.entry (\\w+)\\(\\s*\\.param \\.align \\d+ \\.b8 \\w+\\[(\\d+)]\\s*\\)")
                .matcher(Files.readString(ptx));
        while (entries.find()) {
            sizes.put(entries.group(1), Integer.parseInt(entries.group(2)));
        }

        Map<String, Integer> expected = new TreeMap<>();
        for (String type : new String[] {"f32", "bf16"}) {
            for (GemmTile tile : GemmTile.ALL) {
                expected.put(tile.kernelName(type), new GemmParams(BUFFER).size);
            }
            expected.put("gemm_add_splits_" + type, new GemmParams(BUFFER).size);
        }
        for (GemmTile tile : GemmTile.ALL) {
            expected.put(tile.backwardName(), new LinearBackwardParams(BUFFER).size);
            expected.put(tile.layersName(), new LinearLayersParams(BUFFER).size);
            expected.put(tile.layersBackwardName(), new LinearLayersBackwardParams(BUFFER).size);
        }
        expected.put("cast", new CastParams(BUFFER).size);
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
        expected.put("place_rows", new PlaceParams(BUFFER).size);
        expected.put("place_vectors", new PlaceParams(BUFFER).size);
        expected.put("scatter_chunks", new ScatterParams(BUFFER).size);
        expected.put("scatter_table", new ScatterParams(BUFFER).size);
        expected.put("iota", new IotaParams(BUFFER).size);
        expected.put("uniform", new UniformParams(BUFFER).size);
        expected.put("softmax", new SoftmaxParams(BUFFER).size);
        expected.put("log_softmax", new SoftmaxParams(BUFFER).size);
        expected.put("layer_norm", new LayerNormParams(BUFFER).size);
        expected.put("layer_norm_backward", new LayerNormBackwardParams(BUFFER).size);
        expected.put("rotary", new RotaryParams(BUFFER).size);
        expected.put("standardize_moments", new StandardizeParams(BUFFER).size);
        expected.put("standardize", new StandardizeParams(BUFFER).size);
        expected.put("argmax", new ArgmaxParams(BUFFER).size);
        expected.put("sample_categorical", new SampleCategoricalParams(BUFFER).size);
        expected.put("sample_gaussian", new SampleGaussianParams(BUFFER).size);
        expected.put("advance_steps", new AdvanceParams(BUFFER).size);
        expected.put("encode_steps", new EncodeParams(BUFFER).size);
        expected.put("enumerate_flags", new EnumerateParams(BUFFER).size);
        expected.put("advantages", new AdvantagesParams(BUFFER).size);
        expected.put("flag_divergence", new DivergenceParams(BUFFER).size);
        expected.put("ppo_categorical", new PpoCategoricalParams(BUFFER).size);
        expected.put("ppo_gaussian", new PpoGaussianParams(BUFFER).size);
        for (EnvironmentSpec environment : Games.all()) {
            environment
                    .deviceForm()
                    .ifPresent(
                            form -> expected.put("environment_" + form.kernel(), new EnvironmentParams(BUFFER).size));
        }
        expected.put("adam_norm", new AdamParams(BUFFER).size);
        expected.put("adam_update", new AdamParams(BUFFER).size);
        for (DType storage : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
                for (BackendSettings.Precision precision : BackendSettings.Precision.values()) {
                    for (AttentionSchedule schedule : AttentionSchedule.all(kind, storage, precision)) {
                        expected.put(schedule.kernelName(), new AttentionParams(BUFFER).size);
                    }
                }
            }
        }
        expected.put("attention_sink", new AttentionParams(BUFFER).size);
        for (String kernel : List.of("f32", "f32_long", "bf16", "f16")) {
            expected.put("attention_decode_" + kernel, new AttentionDecodeParams(BUFFER).size);
        }
        for (String kernel : List.of("forward", "rows", "columns", "bias", "distances")) {
            for (String instance : List.of("one", "few", "many")) {
                expected.put("attention_series_" + kernel + "_" + instance, new AttentionSeriesParams(BUFFER).size);
            }
        }
        for (String kernel : List.of("delta", "sink", "weights", "normalizers", "distance_bias")) {
            expected.put("attention_series_" + kernel, new AttentionSeriesParams(BUFFER).size);
        }
        for (String kernel : List.of("normalize", "normalize_backward")) {
            expected.put("attention_series_" + kernel, new AttentionNormalizeParams(BUFFER).size);
        }
        assertThat(sizes).isEqualTo(expected);
    }

    @Test
    void aDamagedImageIsNotHandedToTheDriver() {
        byte[] image = new byte[100];
        ByteBuffer header = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(0xBA55ED50).putShort((short) 1).putShort((short) 16).putLong(84);
        String checksum = Sha256.of(image);
        assertThat(KernelImage.problem(image, checksum)).isNull();
        assertThat(KernelImage.problem(image, null)).isNull();

        for (int length = 0; length < image.length; length++) {
            assertThat(KernelImage.problem(Arrays.copyOf(image, length), null))
                    .as("%d bytes", length)
                    .isNotNull();
        }
        assertThat(KernelImage.problem(Arrays.copyOf(image, 99), checksum))
                .isEqualTo("the file has 99 bytes, the header at byte 0 says 100");
        byte[] two = ByteBuffer.allocate(200).put(image).put(image).array();
        assertThat(KernelImage.problem(two, null)).isNull();
        assertThat(KernelImage.problem(Arrays.copyOf(two, 199), null))
                .isEqualTo("the file has 199 bytes, the header at byte 100 says 100");
        assertThat(KernelImage.problem(Arrays.copyOf(two, 110), null)).isEqualTo("there is no fatbin at byte 100");
        image[99] ^= 1;
        assertThat(KernelImage.problem(image, checksum)).isEqualTo("their checksum differs from the build's");
        image[0] ^= 1;
        assertThat(KernelImage.problem(image, checksum)).isEqualTo("this is not a fatbin");
    }

    @Test
    void whatTheBuildMadeIsWholeAndNamesItsDriver() {
        assumeTrue(KernelImage.class.getResource("fovea.fatbin") != null, KernelImage::description);
        String property = System.clearProperty(KernelImage.IMAGE_PROPERTY);
        try {
            List<ByteBuffer> machineCode = KernelImage.load(new InstalledDriver(99_000, Optional.empty()));
            assertThat(machineCode)
                    .hasSizeGreaterThan(1)
                    .allMatch(image -> image.getInt(0) == machineCode.get(0).getInt(0));
            assertThat(KernelImage.load(new InstalledDriver(12_000, Optional.empty())))
                    .singleElement()
                    .matches(ptx -> ptx.get(0) == '.');
            Matcher nvcc = Pattern.compile("sm_.*PTX.*\\(nvcc (\\d+)\\.\\d+\\)").matcher(KernelImage.description());
            assertThat(nvcc.matches()).as(KernelImage.description()).isTrue();
            assertThat(KernelImage.machineCodeDriver().version() / 1000).isEqualTo(Integer.parseInt(nvcc.group(1)));
            assertThat(KernelImage.leastDriver().version()).isEqualTo(12_000);
        } finally {
            if (property != null) {
                System.setProperty(KernelImage.IMAGE_PROPERTY, property);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "13000, , 12000, 525, true",
        "11080, , 12000, 525, false",
        "12020, 535.183.01, 12000, 525, true",
        "12020, 535.183.01, 12000, 550.54, false",
        "12020, , 12040, 550.54, false",
        "12040, , 12040, 550.54, true",
        "12040, 550.40.07, 12040, 550.54, false",
        "12040, 550.54, 12040, 550.54, true",
        "12040, 550.54.15, 12040, 550.54, true",
        "12040, 550.127, 12040, 550.54, true",
        "12040, 550.54.15, 12040, 550.54.20, false",
        "13000, 580.65.06, 13000, 580, true",
        "13000, 1000.1, 13000, 580, true",
        "14000, 610.1, 14000, of CUDA 14, true"
    })
    void aDriverIsAtLeastAnother(
            int version, String release, int leastVersion, String leastRelease, boolean isAtLeast) {
        InstalledDriver driver = new InstalledDriver(version, Optional.ofNullable(release));
        assertThat(driver.isAtLeast(new KernelImage.Driver(leastVersion, leastRelease)))
                .isEqualTo(isAtLeast);
    }

    @Test
    void aDriverIsNamedByItsLibrary() {
        String line = "7f0000000000-7f0000001000 r--p 00000000 08:01 42    /usr/lib/x86_64-linux-gnu/";
        assertThat(InstalledDriver.releaseIn(line + "libc.so.6\n" + line + "libcuda.so.550.54.15\n"))
                .contains("550.54.15");
        assertThat(InstalledDriver.releaseIn(line + "libcuda.so.1.1\n" + line + "libcudart.so.12.4.99\n"))
                .isEmpty();
    }

    @Test
    void aForgottenParameterIsNamed() {
        MapParams params = new MapParams(BUFFER).x(1).y(2).op(0);
        assertThatThrownBy(() -> params.complete("map_unary"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("launch of map_unary: parameter count was not set");
    }

    @Test
    void schedulesAreAsSmallAsTheShapeAllows() {
        assertThat(forward(16, 10)).isEqualTo("attention_forward_whole_f32_d16_m16");
        assertThat(forward(16, 17)).isEqualTo("attention_forward_whole_f32_d16_m32");
        assertThat(forward(16, 143)).isEqualTo("attention_forward_whole_f32_d16_m32");
        assertThat(forward(17, 160)).isEqualTo("attention_forward_whole_f32_d32_m32");
        assertThat(forward(16, 161)).isEqualTo("attention_forward_f32_d32_r64_m64");
        assertThat(forward(33, 16)).isEqualTo("attention_forward_whole_f32_d64_m32");
        assertThat(forward(64, 128)).isEqualTo("attention_forward_f32_d64_r64_m32");
        assertThat(forward(64, 2048)).isEqualTo("attention_forward_f32_d64_r64_m32");
        assertThat(forward(65, 1)).isEqualTo("attention_forward_f32_d128_r64_m32");
        assertThat(forward(256, 1)).isEqualTo("attention_forward_f32_d256_r64_m16");
    }

    @Test
    void blocksKeepToTheSharedMemoryOfSmallCards() {
        for (DType storage : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
                for (AttentionSchedule schedule :
                        AttentionSchedule.all(kind, storage, BackendSettings.Precision.FLOAT32)) {
                    for (int longest = 1; longest <= 161; longest++) {
                        if (schedule.fits(1, longest, 1)) {
                            assertThat(schedule.sharedBytes(longest))
                                    .as("%s of %d rows", schedule.kernelName(), longest)
                                    .isPositive()
                                    .isLessThanOrEqualTo(99 * 1024);
                            assertThat(schedule.threads(longest)).isBetween(32, 320);
                        }
                    }
                }
            }
        }
    }

    @Test
    void gradientsOfSharedKeysAreForTiles() {
        for (AttentionSchedule.Kind kind : AttentionSchedule.Kind.values()) {
            boolean some = AttentionSchedule.all(kind, DType.F32, BackendSettings.Precision.FLOAT32).stream()
                    .anyMatch(schedule -> schedule.fits(16, 16, 2));
            boolean wholeGradients =
                    kind == AttentionSchedule.Kind.BACKWARD_WHOLE || kind == AttentionSchedule.Kind.TANGENT_WHOLE;
            assertThat(some).as("%s", kind).isEqualTo(!wholeGradients);
        }
    }

    private static String forward(int dim, int longest) {
        return Stream.of(AttentionSchedule.Kind.FORWARD_WHOLE, AttentionSchedule.Kind.FORWARD)
                .flatMap(kind -> AttentionSchedule.all(kind, DType.F32, BackendSettings.Precision.FLOAT32).stream())
                .filter(schedule -> schedule.fits(dim, longest, 1))
                .findFirst()
                .orElseThrow()
                .kernelName();
    }
}
