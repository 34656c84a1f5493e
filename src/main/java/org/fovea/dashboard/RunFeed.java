// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.fovea.rl.run.RunSummary;

/** Tells pages of runs, and of what changes of them, by server-sent events. */
final class RunFeed implements AutoCloseable {
    private static final long INTERVAL_MILLIS = 1_000;
    private static final long MOMENT_NANOS = 150_000_000;
    private static final long UNASKED_NANOS = 5_000_000_000L;
    private static final int MOST_FOLLOWERS = 64;

    private static final Logger LOGGER = System.getLogger(RunFeed.class.getName());

    private final RunIndex index;
    private final ObjectMapper json;
    private Map<String, Told> last = Map.of();

    /** When somebody asked last. */
    private long asked = System.nanoTime() - UNASKED_NANOS;

    /** How often all runs have been looked at, and how often they are to be without a pause. */
    private long looks;

    private long wanted;
    private final AtomicInteger followers = new AtomicInteger();
    private volatile boolean closed;

    /** As pages are told of a run; what JSON has no number for is null. */
    record Told(
            @JsonIgnore RunSummary run,
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
                    run,
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

        /** Whether a page would show nothing else. */
        boolean isLike(Told other) {
            return state.equals(other.state)
                    && steps == other.steps
                    && totalSteps == other.totalSteps
                    && written == other.written
                    && Objects.equals(score, other.score)
                    && settings.equals(other.settings)
                    && changes.equals(other.changes)
                    && problem.equals(other.problem);
        }

        @SuppressWarnings("NullAway")
        private static Double finite(double value) {
            return Double.isFinite(value) ? value : null;
        }
    }

    RunFeed(RunIndex index, ObjectMapper json) {
        this.index = index;
        this.json = json;
        Thread looking = new Thread(this::look, "runs");
        looking.setDaemon(true);
        looking.start();
    }

    /** All of them, as far as they are known within a moment. */
    Map<String, Object> all() {
        Map<String, Told> runs = runs(true);
        return answer(List.copyOf(runs.values()), List.of(), runs.isEmpty());
    }

    private Map<String, Object> answer(List<Told> changed, List<String> removed, boolean isEmpty) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("directory", index.name());
        answer.put("changed", changed);
        answer.put("removed", removed);
        answer.put("complete", isComplete());
        answer.put("others", isEmpty ? index.others() : List.of());
        return answer;
    }

    /** Whether all runs have been looked at once. */
    private synchronized boolean isComplete() {
        return looks > 0;
    }

    /** Looks at the runs again and again while somebody asks. */
    private void look() {
        try {
            while (!closed) {
                synchronized (this) {
                    while (!closed && System.nanoTime() - asked > UNASKED_NANOS) {
                        wait();
                    }
                }
                try {
                    index.refresh();
                } catch (RuntimeException e) {
                    // The next look may go better; pages go on being told of what is known.
                    LOGGER.log(Level.WARNING, "the runs could not be looked at", e);
                }
                synchronized (this) {
                    looks++;
                    notifyAll();
                    if (wanted <= looks) {
                        wait(INTERVAL_MILLIS);
                    }
                }
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    /** @param now whether to wait a moment for a look that begins now; else what is known is enough */
    @SuppressWarnings("ReferenceEquality") // the index gives the same object until a run is read anew
    private synchronized Map<String, Told> runs(boolean now) {
        asked = System.nanoTime();
        if (now) {
            // One may be under way, which has passed by what has just changed.
            wanted = Math.max(wanted, looks + 2);
        }
        notifyAll();
        long end = asked + MOMENT_NANOS;
        try {
            for (long left = MOMENT_NANOS; now && looks < wanted && left > 0; left = end - System.nanoTime()) {
                wait(left / 1_000_000 + 1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Map<String, Told> runs = new TreeMap<>();
        index.summaries().forEach((name, run) -> {
            Told before = last.get(name);
            runs.put(name, before != null && before.run == run ? before : Told.of(name, run));
        });
        last = runs;
        return runs;
    }

    /** Tells a page of all runs, and then of changes until it goes away. */
    void follow(HttpExchange exchange) throws IOException, RequestException {
        if (followers.incrementAndGet() > MOST_FOLLOWERS) {
            followers.decrementAndGet();
            throw new RequestException(503, MOST_FOLLOWERS + " pages are open already; close some");
        }
        try {
            tell(exchange);
        } finally {
            followers.decrementAndGet();
        }
    }

    @SuppressWarnings("ReferenceEquality") // as in runs()
    private void tell(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/event-stream; charset=utf-8");
        exchange.sendResponseHeaders(200, 0);
        Map<String, Told> known = Map.of();
        try (OutputStream out = exchange.getResponseBody()) {
            boolean first = true;
            boolean complete = false;
            while (!closed) {
                Map<String, Told> now = runs(first);
                List<Told> changed = new ArrayList<>();
                for (Told run : now.values()) {
                    Told before = known.get(run.name);
                    if (before == null || before.run != run.run && !before.isLike(run)) {
                        changed.add(run);
                    }
                }
                List<String> removed = new ArrayList<>(known.keySet());
                removed.removeAll(now.keySet());
                boolean isNews = first || complete != isComplete() || !changed.isEmpty() || !removed.isEmpty();
                complete = isComplete();
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
    public synchronized void close() {
        closed = true;
        notifyAll();
    }
}
