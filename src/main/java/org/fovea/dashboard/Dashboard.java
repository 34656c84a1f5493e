// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Serves the page, and what it shows of the runs of one directory. It only reads; of a run's files none is executed and none is sent as it
 * is, but an episode is played where one is asked for, by the classes of this program.
 */
public final class Dashboard implements AutoCloseable {
    private static final int COMPRESSED_FROM = 2_000;
    private static final String POLICY =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
                    + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private final ObjectMapper json = new ObjectMapper();
    private final HttpServer server;
    private final Guard guard;
    private final ExecutorService threads;
    private final RunIndex index;
    private final Curves curves = new Curves();
    private final Episodes episodes;
    private final RunFeed feed;

    /**
     * What to serve, and where.
     *
     * @param runs directory with runs in it, or of one
     * @param address to bind
     * @param port to bind; 0 for any that is free
     * @param python whether episodes are played in environments of Python that runs name
     */
    public record Settings(Path runs, InetAddress address, int port, boolean python) {}

    /**
     * Starts to serve.
     *
     * @throws BindException if the port is in use
     * @throws IOException if there is no such directory
     */
    public static Dashboard start(Settings settings) throws IOException {
        RunIndex index = new RunIndex(settings.runs());
        HttpServer server = HttpServer.create(new InetSocketAddress(settings.address(), settings.port()), 0);
        try {
            return new Dashboard(settings, index, server);
        } catch (RuntimeException | Error e) {
            server.stop(0);
            throw e;
        }
    }

    private Dashboard(Settings settings, RunIndex index, HttpServer server) {
        this.server = server;
        this.index = index;
        int port = server.getAddress().getPort();
        this.guard = settings.address().isLoopbackAddress() ? Guard.ofLoopback(port) : Guard.withToken(port);
        this.episodes = new Episodes(settings.python());
        this.feed = new RunFeed(index, json);
        this.threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "dashboard");
            thread.setDaemon(true);
            return thread;
        });
        server.setExecutor(threads);
        server.createContext("/", this::serve);
        server.start();
    }

    /** Where it is to be opened, with the token if there is one. */
    public String address() {
        InetSocketAddress bound = server.getAddress();
        InetAddress address = bound.getAddress();
        String host = address.isLoopbackAddress()
                ? "localhost"
                : address.isAnyLocalAddress() ? nameOfMachine() : address.getHostAddress();
        String token = guard.token() == null ? "" : "?token=" + guard.token();
        return "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + bound.getPort() + "/" + token;
    }

    private static String nameOfMachine() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "127.0.0.1";
        }
    }

    /** The first free port from one on, 0 if there is none near. */
    public static int freePort(InetAddress address, int from) {
        for (int port = from; port < Math.min(from + 100, 65_536); port++) {
            try (ServerSocket socket = new ServerSocket(port, 1, address)) {
                return socket.getLocalPort();
            } catch (IOException e) {
                // In use; the next one may be free.
            }
        }
        return 0;
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Security-Policy", POLICY);
            exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
            exchange.getResponseHeaders().set("Referrer-Policy", "no-referrer");
            exchange.getResponseHeaders().set("Cross-Origin-Resource-Policy", "same-origin");
            exchange.getResponseHeaders().set("Cache-Control", "no-store");
            try {
                guard.check(exchange);
                String cookie = guard.cookie(exchange);
                if (cookie != null) {
                    exchange.getResponseHeaders().set("Set-Cookie", cookie);
                }
                answer(exchange, exchange.getRequestURI().getPath(), Query.of(exchange));
            } catch (RequestException e) {
                fail(exchange, e.status(), e.getMessage());
            } catch (IOException | UncheckedIOException e) {
                // Of a file that is damaged or gone; or of a browser that is, which the answer does not reach.
                fail(exchange, 500, e.getMessage());
            } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
                fail(exchange, 500, e.getMessage() == null ? e.toString() : e.getMessage());
            }
        }
    }

    private void fail(HttpExchange exchange, int status, @Nullable String message) throws IOException {
        if (exchange.getResponseCode() == -1) {
            send(exchange, status, "application/json", json.writeValueAsBytes(Map.of("error", "" + message)));
        }
    }

    private void answer(HttpExchange exchange, String path, Query query) throws IOException, RequestException {
        switch (path) {
            case "/api/runs" -> json(exchange, feed.all());
            case "/api/events" -> feed.follow(exchange);
            case "/api/curves" -> json(exchange, curves(query));
            case "/api/times" -> json(exchange, times(query));
            case "/api/episode" ->
                json(
                        exchange,
                        episodes.play(
                                index.directory(query.required("run")),
                                query.one("policy", "last").equals("best"),
                                query.number("seed", 0, Long.MIN_VALUE, Long.MAX_VALUE),
                                query.one("actions", "greedy").equals("sampled")));
            case "/api/picture" ->
                send(exchange, 200, "image/png", episodes.picture(query.number("episode", 0, 0, Long.MAX_VALUE), (int)
                        query.number("step", 0, 0, Integer.MAX_VALUE)));
            case "/api/attention" ->
                send(
                        exchange,
                        200,
                        "application/octet-stream",
                        episodes.weights(query.number("episode", 0, 0, Long.MAX_VALUE), (int)
                                query.number("map", 0, 0, Integer.MAX_VALUE)));
            default -> {
                Asset asset = Asset.at(path);
                if (asset == null) {
                    throw new RequestException(404, "there is nothing at that address");
                }
                send(exchange, 200, asset.type(), asset.bytes());
            }
        }
    }

    private Map<String, Object> curves(Query query) throws IOException, RequestException {
        String table = query.one("table", "progress.csv");
        boolean byTime = query.one("x", "steps").equals("time");
        int points = (int) query.number("points", 400, 2, 5_000);
        List<String> columns = query.values().getOrDefault("column", List.of("mean_return"));
        Map<String, Object> all = new LinkedHashMap<>();
        for (String run : query.runs()) {
            all.put(run, curves.of(index.directory(run), table, columns, byTime, points));
        }
        return all;
    }

    private Map<String, Object> times(Query query) throws IOException, RequestException {
        Map<String, Object> all = new LinkedHashMap<>();
        for (String run : query.runs()) {
            all.put(run, curves.times(index.directory(run)));
        }
        return all;
    }

    private void json(HttpExchange exchange, Object answer) throws IOException {
        send(exchange, 200, "application/json", json.writeValueAsBytes(answer));
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        String accepted = exchange.getRequestHeaders().getFirst("Accept-Encoding");
        boolean compressed = body.length > COMPRESSED_FROM
                && !type.equals("image/png")
                && !type.equals("application/octet-stream")
                && accepted != null
                && accepted.contains("gzip");
        if (compressed) {
            exchange.getResponseHeaders().set("Content-Encoding", "gzip");
        }
        exchange.sendResponseHeaders(status, compressed ? 0 : body.length == 0 ? -1 : body.length);
        try (OutputStream out = exchange.getResponseBody();
                OutputStream body2 = compressed ? new GZIPOutputStream(out) : out) {
            body2.write(body);
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        feed.close();
        server.stop(0);
        threads.shutdownNow();
        episodes.close();
    }
}
