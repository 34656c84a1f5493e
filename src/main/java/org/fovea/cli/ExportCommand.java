// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.fovea.onnx.PolicyModel;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.run.SavedRun;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes the policy of a run to a file for use elsewhere. */
@Command(
        name = "export",
        sortOptions = false,
        abbreviateSynopsis = true,
        header = "Write the policy of a run to a file for use elsewhere.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea export runs/mine --safetensors policy.safetensors --which best",
            "  fovea export runs/mine --onnx policy.onnx"
        })
final class ExportCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(paramLabel = "RUN_DIR", description = "Directory of the run, as printed by fovea train.")
    @SuppressWarnings("NullAway.Init")
    private Path runDirectory;

    @Option(
            names = "--safetensors",
            paramLabel = "FILE",
            description = "For Java (org.fovea.policy.Policy), PyTorch and fovea train --init; docs/policy.md.")
    private @Nullable Path safetensors;

    @Option(
            names = "--onnx",
            paramLabel = "FILE",
            description = "For ONNX Runtime and others that know ONNX; docs/onnx.md.")
    private @Nullable Path onnx;

    @Option(
            names = "--opset",
            paramLabel = "N",
            description = "Version of ONNX's operators, " + PolicyModel.OLDEST_OPSET + " to " + PolicyModel.NEWEST_OPSET
                    + "; those below " + PolicyModel.ATTENTION_OPSET + " are for older runtimes and have no Attention"
                    + " (default: " + PolicyModel.ATTENTION_OPSET + ").")
    private @Nullable Integer opset;

    @Option(
            names = "--which",
            paramLabel = "WHICH",
            description = "last, or the best that evaluations during training found (default: last).")
    private String which = "last";

    @Option(names = "--json", description = "Print one JSON object as the last line of standard output.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    ExportCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Writes a policy to a file, which is there only when it is complete. */
    @FunctionalInterface
    private interface Format {
        void write(SavedPolicy policy, Path file) throws IOException;
    }

    @Override
    public Integer call() throws IOException {
        if (safetensors == null && onnx == null) {
            throw new UsageException("say what to write: --safetensors FILE or --onnx FILE");
        }
        if (opset != null && onnx == null) {
            throw new UsageException("--opset is of --onnx FILE, which was not asked for");
        }
        if (!which.equals("last") && !which.equals("best")) {
            throw new UsageException("--which must be last or best, got " + which);
        }
        if (!Files.isDirectory(runDirectory)) {
            throw new UsageException("there is no run directory " + runDirectory);
        }
        SavedPolicy policy = SavedRun.policy(runDirectory, which.equals("best"));
        // Made before anything is written: what can't be exported leaves nothing behind.
        PolicyModel model =
                onnx == null ? null : PolicyModel.of(policy, opset == null ? PolicyModel.ATTENTION_OPSET : opset);
        List<Json> files = new ArrayList<>();
        write(policy, safetensors, SavedPolicy::write, files);
        if (model != null) {
            write(policy, onnx, (of, file) -> model.write(file), files);
        }
        if (json) {
            terminal.out()
                    .println(new Json()
                            .with("policy", policy.kind().toString())
                            .with("parameters", policy.parameterCount())
                            .with("trained_steps", trainedSteps(policy))
                            .with("files", files));
        }
        return 0;
    }

    /** Writes one file, if it was asked for. */
    private void write(SavedPolicy policy, @Nullable Path file, Format format, List<Json> written) throws IOException {
        if (file == null) {
            return;
        }
        format.write(policy, file);
        written.add(new Json().with("file", file.toString()).with("bytes", Files.size(file)));
        terminal.report(json)
                .println(file + ": " + policy.kind() + " policy, " + NumberFormats.count(policy.parameterCount())
                        + " parameters, of step "
                        + NumberFormats.count(trainedSteps(policy)) + ", "
                        + NumberFormats.count(Files.size(file)) + " bytes");
    }

    private static long trainedSteps(SavedPolicy policy) {
        return Long.parseLong(policy.notes().getOrDefault("trained_steps", "0"));
    }
}
