// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BadInputTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "trian | unknown command 'trian'; nearest: train",
                "train --stepz 3 | unknown option '--stepz'; nearest: --steps",
                "train --stepz=3 | unknown option '--stepz'; nearest: --steps",
                "train extra | unexpected argument 'extra'",
                "train --env CartPole-v2 | unknown environment 'CartPole-v2'; nearest: CartPole-v1",
                "train --env MemoryChain-v0:lenght=3 | unknown parameter of MemoryChain-v0 'lenght'; nearest: length",
                "train --algo pqo | unknown algorithm 'pqo'; nearest: ppo",
                "train --policy atention | unknown policy 'atention'; nearest: attention",
                "train --backend cpuu | unknown backend 'cpuu'; nearest: cpu",
                "train --set learning_rat=1 | unknown hyper-parameter 'learning_rat'; nearest: learning_rate",
                "train --set clipp | unknown hyper-parameter 'clipp'; nearest: clip",
                "train --set clip | --set clip lacks its value",
                "train --algo trpo --set clip=0.1 | unknown hyper-parameter 'clip'",
                "train --algo trpo --set max_kl=0 | hyper-parameter max_kl must be a number greater than 0, got 0.0",
                "train --set clip=much | hyper-parameter clip must be a number, got 'much'",
                "train --set precison=tf32 | unknown hyper-parameter 'precison'; nearest: precision",
                "train --set precision=bf16 --set cublas=on | cublas=on and precision=bf16 exclude each other",
                "train --set precision=half | --set precision must be one of float32, tf32, bf16, got 'half'",
                "train --device -1 | --device must be 0 or more, got -1",
                "train --device x | 'x' is not a whole number",
                "train --simulate --backend cpu | --simulate runs the cuda backend, not cpu",
                "bench train --set clip=1 | unknown setting 'clip'; nearest: cublas",
                "bench attention --shape 1,2,3 | --shape must be B,H,N,D, four whole numbers from 1, got [1, 2, 3]",
                "bench attention --shape 1,2,0,4 | got [1, 2, 0, 4]",
                "bench attention --profile | --profile counts instructions of PTX: it needs --simulate=ptx",
                "bench train --profile --simulate | --profile counts instructions of PTX: it needs --simulate=ptx",
                "bench train --profile --simulate=ptx --card h10 | unknown card 'h10'; nearest: h100",
                "bench gemm --size 0 | --size must be from 1 to 16384, got 0",
                "bench gemm --compare --set cublas=on | --compare decides about cublas itself; leave out --set cublas",
                "train --set graph=maybe | --set graph must be one of on, off, got 'maybe'",
                "train --set epochs=0 | hyper-parameter epochs must be at least 1, got 0",
                "train --set width=7 --backend cpu | width 7, heads 4",
                "train --steps 0 | steps must be at least 1, got 0",
                "train --steps many | 'many' is not a whole number",
                "train --envs -1 | envs must be at least 1, got -1",
                "train --threads -1 | --threads must be from 0 (one per core) to 1024, got -1",
                "train --threads 2147483647 | --threads must be from 0 (one per core) to 1024, got 2147483647",
                "train --env-threads 0 | --env-threads must be from 1 to 1024, got 0",
                "eval no/such/run --env-threads -2 | --env-threads must be from 1 to 1024, got -2",
                "train --env-device gpu | --env-device must be auto, host or device, got gpu",
                "train --env CartPole-v1+frame_stack=2 --env-device device --backend cpu | CartPole-v1+frame_stack=2 has no device form; those that have, without"
                        + " wrappers: CartPole-v1, Pendulum-v1,",
                "train --overlap often | --overlap must be on, off or auto, got often",
                "train --resume | --resume needs --out",
                "train --resume --out no/such/run | there is no directory no/such/run",
                "eval | missing required parameter: 'RUN_DIR'",
                "eval no/such/run | there is no run directory no/such/run",
                "bench | say what to measure",
                "bench trian | unknown command 'trian'; nearest: train"
            })
    void isAnsweredInOneLine(String command, String message) {
        Cli cli = Cli.run((command + out(command)).split(" "));

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err()).contains(message).startsWith("fovea");
        assertThat(cli.err().lines()).hasSize(1);
        assertThat(cli.out()).isEmpty();
    }

    /** Were the input accepted after all, its run would not land in the working directory. */
    private String out(String command) {
        boolean trains = command.startsWith("train") && !command.contains("--resume");
        return trains ? " --out " + directory.resolve("run") : "";
    }

    @Test
    void anExistingDirectoryIsRefused() {
        Cli cli = Cli.run("train", "--out", directory.toString());

        assertThat(cli.exitCode()).isEqualTo(2);
        assertThat(cli.err())
                .contains(directory + " exists")
                .contains("--resume")
                .contains("--overwrite");
    }

    @Test
    void aDirectoryWithoutARunIsNotEvaluated() {
        Cli cli = Cli.run("eval", directory.toString());

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err()).contains(directory.toString());
        assertThat(cli.err().lines()).hasSize(1);
    }

    @Test
    void aDamagedCheckpointIsNamed() throws IOException {
        Path run = directory.resolve("run");
        assertThat(Cli.run(TrainTest.small(run)).exitCode()).isZero();
        try (var files = Files.walk(run)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".safetensors"))
                    .toList()) {
                Files.write(file, new byte[] {1, 2, 3});
            }
        }

        Cli cli = Cli.run("eval", run.toString(), "--backend", "cpu");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err()).contains(".safetensors is damaged");
        assertThat(cli.err().lines()).hasSize(1);
    }

    @Test
    void trainingThatDivergesStopsWithTheStepAndTheName() {
        Cli cli = Cli.run(TrainTest.small(
                directory.resolve("run"),
                "--set",
                "learning_rate=1e30",
                "--set",
                "max_grad_norm=0",
                "--steps",
                "4096"));

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err()).containsPattern("(loss|entropy) is (NaN|-?Infinity) at step \\d+");
        assertThat(cli.err()).doesNotContain("\tat ");
    }
}
