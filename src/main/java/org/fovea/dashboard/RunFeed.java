// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.rl.run.RunSummary;

/** Tells pages of runs, and of what changes of them, by server-sent events. */
final class RunFeed implements AutoCloseable {
    private static final long INTERVAL_MILLIS = 1_000;

    private final RunIndex index;
    private final ObjectMapper json;
    private Map<String, Told> last = Map.of();
    private long refreshed;
    private volatile boolean closed;

    /** As pages are told of a run; what JSON has no number for is null. */
    record Told(
            String name,
            String state,
            Map<String, String> settings,
            List<String> changes,
            long steps,
            long totalSteps,
            Double score,
            Double scoreStd,
            String scoreSource,
            long written,
            String problem) {

        static Told of(String name, RunSummary run) {
            String failure = run.outcome() == null ? "" : run.outcome().failure();
            String problem = run.problem().isEmpty() ? failure : run.problem();
            return new Told(
                    name,
                    run.state().toString(),
                    run.settings(),
                    run.changes().stream()
                            .map(change -> change.setting() + ": " + change.before() + " to " + change.after()
                                    + " at step " + change.steps())
                            .toList(),
                    run.steps(),
                    run.totalSteps(),
                    finite(run.score().mean()),
                    finite(run.score().std()),
                    run.score().source(),
                    run.lastWritten().toEpochMilli(),
                    problem);
        }

        @SuppressWarnings("NullAway")
        private static Double finite(double value) {
            return Double.isFinite(value) ? value : null;
        }
    }

    RunFeed(RunIndex index, ObjectMapper json) {
        this.index = index;
        this.json = json;
    }

    /** All of them. */
    Map<String, Object> all() {
        Map<String, Told> runs = runs();
        return answer(List.copyOf(runs.values()), List.of(), runs.isEmpty());
    }

    private Map<String, Object> answer(List<Told> changed, List<String> removed, boolean isEmpty) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("directory", index.root().toString());
        answer.put("changed", changed);
        answer.put("removed", removed);
        answer.put("others", isEmpty ? index.others() : List.of());
        return answer;
    }

    /** At most as old as pages are told of changes; one look serves all pages. */
    private synchronized Map<String, Told> runs() {
        long now = System.currentTimeMillis();
        if (now - refreshed > INTERVAL_MILLIS / 2) {
            Map<String, Told> runs = new TreeMap<>();
            index.refresh().forEach((name, run) -> runs.put(name, Told.of(name, run)));
            last = runs;
            refreshed = System.currentTimeMillis();
        }
        return last;
    }

    /** Tells a page of all runs, and then of changes until it goes away. */
    void follow(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/event-stream; charset=utf-8");
        exchange.sendResponseHeaders(200, 0);
        Map<String, Told> known = Map.of();
        try (OutputStream out = exchange.getResponseBody()) {
            boolean first = true;
            while (!closed) {
                Map<String, Told> now = runs();
                List<Told> changed = new ArrayList<>();
                for (Told run : now.values()) {
                    if (!run.equals(known.get(run.name))) {
                        changed.add(run);
                    }
                }
                List<String> removed = new ArrayList<>(known.keySet());
                removed.removeAll(now.keySet());
                boolean isNews = first || !changed.isEmpty() || !removed.isEmpty();
                // A comment finds out whether the page is still there.
                String event = isNews
                        ? "event: runs\ndata: " + json.writeValueAsString(answer(changed, removed, now.isEmpty()))
                                + "\n\n"
                        : ": \n\n";
                out.write(Dashboard.utf8(event));
                out.flush();
                known = now;
                first = false;
                Thread.sleep(INTERVAL_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
