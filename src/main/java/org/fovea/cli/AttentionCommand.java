// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fovea.attentionfile.AttentionOperator;
import org.fovea.attentionfile.AttentionSettings;
import org.fovea.backend.attention.AttentionSpec;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Attention from file to file: once, or for as long as there are requests. */
@Command(
        name = "attention",
        customSynopsis = {"fovea attention [OPTIONS] IN -o OUT", "fovea attention --serve [OPTIONS]"},
        header = "Compute attention and its derivatives of tensors in a safetensors file.",
        description = {
            "%nThe tensors of IN say what is computed; docs/attention.md has all shapes.",
            "  q k v                          o, lse",
            "  mask bias alibi sink           what changes the scores",
            "  kv_lengths  q_segments k_segments  cu_seqlens_q cu_seqlens_k",
            "  past_k past_v                  present_k, present_v",
            "  do dlse                        gradients: dq dk dv dbias dsink",
            "  ddq ddk ddv ddbias ddsink ddo  double backward: g_q g_k g_v g_bias g_sink g_do g_dlse",
            "  tq tk tv tbias tsink           Jacobian-vector product: to tlse",
            "  q.1 q.2 ... k.1 ... do.1 ...   with --order, Taylor coefficients: o.1 ... lse.1 ... dq.1 ...%n"
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  fovea attention in.safetensors -o out.safetensors --causal",
            "  fovea attention in.safetensors -o out.safetensors --causal=bottom-right --window 128,0",
            "  fovea attention in.safetensors -o out.safetensors --weights=softmax --rows 0:16",
            "  printf 'a.safetensors\\tb.safetensors\\t--causal\\n' | fovea attention --serve"
        })
final class AttentionCommand extends BackendCommand {
    private static final Pattern WINDOW = Pattern.compile("(-1|\\d{1,9}),(-1|\\d{1,9})");
    private static final Pattern ROWS = Pattern.compile("(\\d{1,18}):(\\d{1,18})");

    /** A request that comes from elsewhere, and the backends that stay open for the next. */
    record Served(OpenBackends backends, String input, String output) {}

    private final @Nullable Served served;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec command;

    @Parameters(paramLabel = "IN", arity = "0..*", description = "The tensors, a safetensors file.")
    private List<String> inputs = List.of();

    @Option(
            names = {"-o", "--out"},
            paramLabel = "OUT",
            description = "Where the results go, a safetensors file; one that is there is replaced.")
    private @Nullable String output;

    @Option(
            names = "--serve",
            description = {
                "Answer requests from standard input, each a line: IN, a tab, OUT, and options after further tabs.",
                "Each answer is a line: the exit code, a tab, and ok or what is wrong."
            })
    private boolean serve;

    @Option(
            names = "--causal",
            paramLabel = "CORNER",
            arity = "0..1",
            fallbackValue = "top-left",
            preprocessor = AttachedOnly.Corner.class,
            description =
                    "Hide keys after the query. Query i stands at i, after any past keys (top-left, the default), or"
                            + " the last query at the last valid key (bottom-right).")
    private @Nullable String causal;

    @Option(
            names = "--align",
            paramLabel = "CORNER",
            description =
                    "Where queries stand without --causal, for --window and alibi: top-left or bottom-right, as above.")
    private @Nullable String alignment;

    @Option(
            names = "--window",
            paramLabel = "L,R",
            description = "Hide keys more than L before or R after the query; -1 is no limit.")
    private @Nullable String window;

    @Option(names = "--scale", paramLabel = "S", description = "Factor of the similarities (default: 1/sqrt(d)).")
    private @Nullable Double scale;

    @Option(names = "--softcap", paramLabel = "C", description = "Soft-cap the scores at C: C tanh(score / C).")
    private @Nullable Double softcap;

    @Option(
            names = "--similarity",
            paramLabel = "NAME",
            defaultValue = "dot",
            description = "dot, cosine or euclidean, which is -|q - k|^2 (default: ${DEFAULT-VALUE}).")
    private String similarity = "dot";

    @Option(names = "--dropout", paramLabel = "P", description = "Drop probabilities with probability P; needs --seed.")
    private @Nullable Double dropout;

    @Option(names = "--seed", paramLabel = "N", description = "Decides which are dropped.")
    private @Nullable Long seed;

    @Option(
            names = "--weights",
            paramLabel = "STAGE",
            arity = "0..1",
            fallbackValue = "softmax",
            preprocessor = AttachedOnly.Stage.class,
            description = "Write weights too: scores (scaled similarities), softcap (after bias and cap), masked (after"
                    + " masks) or softmax (the default).")
    private @Nullable String weights;

    @Option(names = "--rows", paramLabel = "I:J", description = "Weights of queries I to J - 1 only (default: all).")
    private @Nullable String rows;

    @Option(
            names = "--order",
            paramLabel = "N",
            description =
                    "Taylor coefficients up to this order, of results along the curve that those of the tensors give.")
    private int order;

    AttentionCommand(Terminal terminal) {
        this(terminal, null);
    }

    /** @param served whose request this is, or null for one of its own */
    AttentionCommand(Terminal terminal, @Nullable Served served) {
        super(terminal);
        this.served = served;
    }

    @Override
    int run(Map<String, String> backendSettings) throws IOException {
        AttentionSettings request = valid(this::request);
        if (serve) {
            if (output != null || !inputs.isEmpty()) {
                throw new UsageException("with --serve, inputs and outputs come from standard input, not as "
                        + (output == null ? "arguments: " + String.join(" ", inputs) : "--out " + output));
            }
            try (OpenBackends backends = new OpenBackends(device, backendSettings, terminal)) {
                return new AttentionServer(terminal, backends, arguments()).run(System.in);
            }
        }
        answer(path(input(), "input"), path(output(), "output"), request, backendSettings);
        return 0;
    }

    /** What this command was given, its name left out. */
    private List<String> arguments() {
        List<String> all = command.root().commandLine().getParseResult().originalArgs();
        return command == command.root() ? all : all.subList(1, all.size());
    }

    private String input() {
        if (served != null) {
            if (!inputs.isEmpty()) {
                throw new UsageException("unexpected argument '" + inputs.get(0) + "'");
            }
            return served.input();
        }
        if (inputs.size() != 1) {
            throw new UsageException(
                    inputs.isEmpty()
                            ? "there is no input: fovea attention IN -o OUT"
                            : "one input is expected, there are " + inputs.size() + ": " + String.join(" ", inputs));
        }
        return inputs.get(0);
    }

    private String output() {
        if (served != null) {
            return served.output();
        }
        if (output == null) {
            throw new UsageException("there is no output: fovea attention IN -o OUT");
        }
        return output;
    }

    private static Path path(String name, String kind) {
        try {
            return Path.of(name);
        } catch (InvalidPathException e) {
            throw new UsageException(
                    "the " + kind + " can't be the name of a file in this locale (LC_ALL=C.UTF-8 knows all letters): "
                            + e.getMessage(),
                    e);
        }
    }

    private void answer(Path in, Path out, AttentionSettings request, Map<String, String> set) throws IOException {
        AttentionOperator.target(out);
        // What is refused is refused in one line: a word on the device is for those who get an answer.
        ByteArrayOutputStream notice = new ByteArrayOutputStream();
        PrintStream err = new PrintStream(notice, true, StandardCharsets.UTF_8);
        try (AttentionOperator operator = AttentionOperator.open(in, request);
                OpenBackends own = new OpenBackends(device, set, new Terminal(terminal.out(), err, 0))) {
            OpenBackends backends = served == null ? own : served.backends();
            operator.run(operator.isDouble() ? backends.forDouble() : backends.usual(), out);
            operator.notes().forEach(note -> err.println("fovea attention: note: " + note));
        }
        terminal.err().print(notice.toString(StandardCharsets.UTF_8));
        terminal.err().flush();
    }

    private AttentionSettings request() {
        return new AttentionSettings(
                spec(),
                order,
                weights == null ? null : Vocabulary.STAGES.value("--weights", weights),
                rows == null ? null : rows());
    }

    private AttentionSpec spec() {
        AttentionSpec spec =
                AttentionSpec.DEFAULT.withSimilarity(Vocabulary.SIMILARITIES.value("--similarity", similarity));
        if (causal != null) {
            spec = spec.withCausal(Vocabulary.CORNERS.value("--causal", causal));
        }
        if (alignment != null) {
            if (causal != null) {
                throw new UsageException("--align is of no use with --causal, which may be --causal=" + alignment);
            }
            spec = spec.withAlignment(Vocabulary.CORNERS.value("--align", alignment));
        }
        if (window != null) {
            Matcher sides = match("--window", "L,R, two whole numbers from -1", WINDOW, window);
            spec = spec.withWindow(Integer.parseInt(sides.group(1)), Integer.parseInt(sides.group(2)));
        }
        if (scale != null) {
            spec = spec.withScale(scale);
        }
        if (softcap != null) {
            spec = spec.withSoftcap(softcap);
        }
        if ((dropout == null) != (seed == null)) {
            throw new UsageException(
                    dropout == null ? "--seed is of no use without --dropout" : "--dropout needs --seed");
        }
        return dropout == null || seed == null ? spec : spec.withDropout(dropout, seed);
    }

    private AttentionSettings.Rows rows() {
        Matcher ends = match("--rows", "I:J, two whole numbers", ROWS, String.valueOf(rows));
        return new AttentionSettings.Rows(Long.parseLong(ends.group(1)), Long.parseLong(ends.group(2)));
    }

    private static Matcher match(String option, String form, Pattern pattern, String value) {
        Matcher matcher = pattern.matcher(value);
        if (!matcher.matches()) {
            throw new UsageException(option + " must be " + form + ", got '" + value + "'");
        }
        return matcher;
    }

    /** Settings refuse a value that can't be. */
    private static <T> T valid(Supplier<T> settings) {
        try {
            return settings.get();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }
}
