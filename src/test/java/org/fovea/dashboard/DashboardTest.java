// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.BindException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.fovea.io.DurableFiles;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing but what is in the directory of runs is served, to nobody but pages of this machine. */
class DashboardTest {
    private static final String HEADING = "iteration,steps,steps_per_second,mean_return\n";

    @TempDir
    Path directory;

    private Path runs;
    private Dashboard dashboard;
    private URI address;

    @BeforeEach
    void start() throws IOException {
        runs = Files.createDirectory(directory.resolve("runs"));
        run("good");
        Files.writeString(directory.resolve("secret.csv"), HEADING + "1,7,7,7\n");
        run(directory, "outside");
        dashboard = Dashboard.start(new Dashboard.Settings(runs, InetAddress.getLoopbackAddress(), 0, false));
        address = URI.create(dashboard.address());
    }

    @AfterEach
    void stop() {
        dashboard.close();
    }

    private void run(String name) throws IOException {
        run(runs, name);
    }

    private static void run(Path in, String name) throws IOException {
        Path run = Files.createDirectories(in.resolve(name));
        Files.writeString(run.resolve("progress.csv"), HEADING + "1,10,100,0.5\n2,20,100,1.5\n");
    }

    private record Answer(int status, Map<String, String> headers, String body) {}

    /** By hand, since HTTP clients of libraries neither send another Host nor leave paths as they are. */
    private Answer ask(String method, String path, String... headers) throws IOException {
        StringBuilder request = new StringBuilder(method + " " + path + " HTTP/1.1\r\nConnection: close\r\n");
        boolean hasHost = false;
        for (String header : headers) {
            hasHost |= header.startsWith("Host:");
            request.append(header).append("\r\n");
        }
        if (!hasHost) {
            request.append("Host: localhost:").append(address.getPort()).append("\r\n");
        }
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), address.getPort())) {
            socket.getOutputStream().write((request + "\r\n").getBytes(StandardCharsets.UTF_8));
            socket.getOutputStream().flush();
            BufferedReader in =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            int status = Integer.parseInt(in.readLine().split(" ")[1]);
            Map<String, String> answered = new HashMap<>();
            for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
                answered.put(
                        line.split(":")[0].toLowerCase(Locale.ROOT),
                        line.substring(line.indexOf(':') + 1).strip());
            }
            StringBuilder body = new StringBuilder();
            for (int c = in.read(); c >= 0; c = in.read()) {
                body.append((char) c);
            }
            return new Answer(status, answered, body.toString());
        }
    }

    private Answer get(String path, String... headers) throws IOException {
        return ask("GET", path, headers);
    }

    /** What is told of runs once they are these, and the text has come up. */
    private JsonNode runs(String text, String... names) throws IOException, InterruptedException {
        JsonNode told = null;
        for (int i = 0; i < 200; i++) {
            told = new ObjectMapper().readTree(get("/api/runs").body).get("changed");
            if (told.findValuesAsText("name").equals(List.of(names))
                    && told.toString().contains(text)) {
                return told;
            }
            Thread.sleep(50);
        }
        throw new AssertionError("expected " + List.of(names) + ", got " + told);
    }

    @Test
    void servesThePageAndWhatItIsMadeOf() throws IOException {
        Answer page = get("/");
        assertThat(page.status).isEqualTo(200);
        assertThat(page.headers.get("content-security-policy")).contains("default-src 'none'", "script-src 'self'");
        assertThat(page.headers.get("x-content-type-options")).isEqualTo("nosniff");
        assertThat(page.body).doesNotContain("http://", "https://", "<script>");
        for (String file : new String[] {
            "/page.js", "/runs.js", "/charts.js", "/episode.js", "/attention.js", "/uplot.js", "/uplot.css"
        }) {
            assertThat(get(file).status).as(file).isEqualTo(200);
        }
        assertThat(get("/uplot-license.txt").body).contains("MIT");
    }

    @Test
    void tellsOfRunsAndTheirCurves() throws IOException, InterruptedException {
        assertThat(runs("", "good").get(0).get("steps").asLong()).isEqualTo(20);
        JsonNode curves = new ObjectMapper().readTree(get("/api/curves?run=good&column=mean_return").body);
        assertThat(curves.at("/good/mean_return/x").toString()).isEqualTo("[10.0,20.0]");
        assertThat(curves.at("/good/mean_return/y").toString()).isEqualTo("[0.5,1.5]");
        // Without times.csv: by the rate.
        JsonNode byTime = new ObjectMapper().readTree(get("/api/curves?run=good&column=mean_return&x=time").body);
        assertThat(byTime.at("/good/mean_return/x").toString()).isEqualTo("[0.1,0.2]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/../secret.csv",
                "/..%2fsecret.csv",
                "/%2e%2e/secret.csv",
                "/api/curves?run=..%2Foutside",
                "/api/curves?run=../outside",
                "/api/curves?run=good%2F..%2F..%2Foutside",
                "/api/curves?run=%2Fetc",
                "/api/curves?run=good%00",
                "/api/curves?run=linked",
                "/api/episode?run=..%2Foutside",
                "/api/curves?run=good&table=..%2F..%2Fsecret.csv",
                "/META-INF/MANIFEST.MF",
                "/page.js/../index.html",
                "/api/nothing",
            })
    void nothingElseIsServed(String path) throws IOException {
        Files.createSymbolicLink(runs.resolve("linked"), directory.resolve("outside"));
        Answer answer = get(path);
        assertThat(answer.status).isIn(400, 404);
        assertThat(answer.body).doesNotContain("7.0", "1.5");
    }

    /** A table that is a link to somewhere else is not read, though the run is one. */
    @Test
    void linkedTablesAreNotRead() throws IOException, InterruptedException {
        Files.delete(runs.resolve("good/progress.csv"));
        Files.writeString(runs.resolve("good/result.json"), "{}");
        Files.createSymbolicLink(runs.resolve("good/progress.csv"), directory.resolve("secret.csv"));
        Answer answer = get("/api/curves?run=good&column=mean_return");
        assertThat(answer.status).isEqualTo(403);
        assertThat(answer.body).contains("symbolic link");
        JsonNode told = runs("symbolic link", "good").get(0);
        assertThat(told.get("problem").asText()).contains("progress.csv is a symbolic link");
        assertThat(told.get("steps").asLong()).isZero();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "403|Host: evil.example",
                "403|Host: evil.example:PORT",
                "403|Host: localhost:1",
                "403|Host: localhost.evil.example:PORT",
                "403|Host: 127.0.0.1.evil.example:PORT",
                "403|Origin: http://evil.example",
                "403|Origin: null",
                "403|Origin: http://localhost:1",
                "403|Sec-Fetch-Site: cross-site",
                "403|Sec-Fetch-Site: same-site",
                "200|Host: 127.0.0.1:PORT",
                "200|Host: LOCALHOST:PORT",
                "200|Host: [::1]:PORT",
                "200|Origin: http://localhost:PORT",
                "200|Sec-Fetch-Site: same-origin",
                "200|Sec-Fetch-Site: none",
            })
    void onlyPagesOfThisMachineAreServed(int status, String header) throws IOException {
        assertThat(get("/api/runs", header.replace("PORT", "" + address.getPort())).status)
                .isEqualTo(status);
    }

    @Test
    void onlyReadingIsServed() throws IOException {
        assertThat(ask("POST", "/api/runs", "Content-Length: 0").status).isEqualTo(405);
        assertThat(ask("DELETE", "/api/runs").status).isEqualTo(405);
    }

    @Test
    void elsewhereATokenIsAskedFor() throws IOException {
        // Bound to all interfaces, which this machine reaches by its own.
        try (Dashboard open =
                Dashboard.start(new Dashboard.Settings(runs, InetAddress.getByName("0.0.0.0"), 0, false))) {
            URI printed = URI.create(open.address());
            assertThat(printed.getQuery()).matches("token=[0-9a-f]{32}");
            URI before = address;
            address = printed;
            assertThat(get("/api/runs").status).isEqualTo(401);
            assertThat(get("/?token=00000000000000000000000000000000").status).isEqualTo(401);
            Answer page = get("/?" + printed.getQuery(), "Host: name.example:" + printed.getPort());
            assertThat(page.status).isEqualTo(200);
            String cookie = page.headers.get("set-cookie");
            assertThat(cookie).contains("HttpOnly", "SameSite=Strict");
            assertThat(get("/api/runs", "Cookie: other=1; " + cookie.split(";")[0]).status)
                    .isEqualTo(200);
            assertThat(get("/api/runs", "Cookie: " + cookie.split(";")[0], "Origin: http://evil.example").status)
                    .isEqualTo(403);
            address = before;
        }
    }

    @Test
    void aPortInUseIsToldFrom() throws IOException {
        assertThatThrownBy(() -> Dashboard.start(
                        new Dashboard.Settings(runs, InetAddress.getLoopbackAddress(), address.getPort(), false)))
                .isInstanceOf(BindException.class);
        assertThat(Dashboard.freePort(InetAddress.getLoopbackAddress(), address.getPort()))
                .isGreaterThan(address.getPort());
    }

    @Test
    void damagedRunsAreShownAsFarAsTheyGo() throws IOException, InterruptedException {
        Path damaged = Files.createDirectories(runs.resolve("damaged/checkpoint-000000000010"));
        Files.writeString(damaged.resolve("tensors.safetensors"), "half");
        Files.writeString(runs.resolve("damaged/progress.csv"), HEADING + "1,10,100,0.5\n2,20,nonsense,\n3,30,1");
        Files.writeString(runs.resolve("damaged/result.json"), "{\"end\": ");
        Files.createDirectories(runs.resolve("empty"));
        Files.writeString(Files.createDirectories(runs.resolve("headless")).resolve("progress.csv"), "");
        JsonNode told = runs("result.json", "damaged", "good", "headless");
        assertThat(told.get(0).get("problem").asText()).contains("result.json");
        JsonNode curve = new ObjectMapper().readTree(get("/api/curves?run=damaged&column=mean_return").body);
        assertThat(curve.at("/damaged/mean_return/y").toString()).isEqualTo("[0.5]");
        assertThat(get("/api/curves?run=headless&column=mean_return").status).isEqualTo(200);
        Answer episode = get("/api/episode?run=damaged");
        assertThat(episode.status).isEqualTo(500);
        assertThat(new ObjectMapper().readTree(episode.body).get("error").asText())
                .contains("damaged");
    }

    /** To open a named pipe is to wait for whoever writes to it. */
    @Test
    @Tag("integration")
    void aNamedPipeIsNotWaitedFor() throws Exception {
        for (String file : List.of("evaluations.csv", "times.csv", ".lock")) {
            Process made = new ProcessBuilder(
                            "mkfifo", runs.resolve("good").resolve(file).toString())
                    .start();
            assumeTrue(made.waitFor() == 0, "mkfifo is absent");
        }
        Answer answer = assertTimeoutPreemptively(
                Duration.ofSeconds(10), () -> get("/api/curves?run=good&column=return_mean&table=evaluations.csv"));
        assertThat(answer.status).isEqualTo(500);
        assertThat(answer.body).contains("evaluations.csv of this run is not a regular file");
        assertThat(assertTimeoutPreemptively(Duration.ofSeconds(10), () -> runs("", "good"))
                        .get(0)
                        .get("steps")
                        .asLong())
                .isEqualTo(20);
    }

    @Test
    void aRunThatIsDeletedIsSaidToBeGone() throws IOException {
        assertThat(get("/api/curves?run=good").status).isEqualTo(200);
        DurableFiles.deleteTree(runs.resolve("good"));
        Answer answer = get("/api/curves?run=good");
        assertThat(answer.status).isEqualTo(404);
        assertThat(answer.body).contains("good", "no longer there");
    }

    @Test
    void refusesWhatMakesNoSense() throws IOException {
        assertThat(get("/api/curves?run=good&points=1000000").status).isEqualTo(400);
        assertThat(get("/api/curves?run=good&points=many").body).contains("whole number");
        assertThat(get("/api/picture?episode=99&step=0").status).isEqualTo(404);
        assertThat(get("/api/episode").body).contains("lacks 'run'");
    }
}
