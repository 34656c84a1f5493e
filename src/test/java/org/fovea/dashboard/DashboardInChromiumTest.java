// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.fovea.io.DurableFiles;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The page in a real browser. With {@code -Dfovea.screenshots=RUNS_DIR} it also keeps pictures of the runs there in docs/images.
 */
@Tag("integration")
class DashboardInChromiumTest {
    @TempDir
    Path directory;

    private static Path browser() {
        Optional<Path> browser = Chromium.find();
        assumeTrue(browser.isPresent(), "there is no Chromium in /usr/bin: the dashboard is not looked at");
        return browser.orElseThrow();
    }

    private static Dashboard serve(Path runs) throws IOException {
        return Dashboard.start(new Dashboard.Settings(runs, InetAddress.getLoopbackAddress(), 0, false));
    }

    @Test
    void showsWhatAPolicyLooksAt() throws IOException, InterruptedException {
        Path browser = browser();
        Path runs = Files.createDirectory(directory.resolve("runs"));
        PlantedRun.train(runs.resolve("planted"), 3, 3);
        PlantedRun.plant(runs.resolve("planted"));
        try (Dashboard dashboard = serve(runs);
                Chromium page = new Chromium(browser, directory.resolve("browser"), 1280, 900)) {
            page.open(dashboard.address());
            page.await("document.querySelector('#runs tbody tr.chosen')");
            page.await("document.querySelector('[data-column=mean_return]').dataset.points == 3");
            curveMovesWhileARunTrains(page, runs);
            halfALineIsNotShown(page, runs.resolve("planted"));
            tabsShowSettingsAndTimes(page);
            attentionIsThatOfThePlantedRun(page);
            sideBySide(page);
            otherThings(page, runs);

            assertThat(page.complaints).isEmpty();
            String here = dashboard.address();
            assertThat(page.requests).isNotEmpty().allMatch(url -> url.startsWith(here) || url.startsWith("blob:"));
        }
    }

    private static void curveMovesWhileARunTrains(Chromium page, Path runs) throws InterruptedException {
        AtomicBoolean stop = new AtomicBoolean();
        Thread training = new Thread(() -> PlantedRun.train(runs.resolve("live"), 5, 100_000, stop::get));
        training.start();
        try {
            String row = "[...document.querySelectorAll('#runs tbody tr')].find(row => row.dataset.run == '%s')";
            page.await(row.formatted("live"));
            page.evaluate(row.formatted("live") + ".click()");
            String points = "Number(document.querySelector('[data-column=mean_return]').dataset.points)";
            page.await("location.hash.includes('run=live') && " + points + " > 0");
            int before = page.evaluate(points).asInt();
            page.await(points + " > " + before);
            page.await(row.formatted("live") + "?.innerText.includes('running')");
        } finally {
            stop.set(true);
            training.join();
        }
        page.evaluate(
                "[...document.querySelectorAll('#runs tbody tr')].find(row => row.dataset.run == 'planted').click()");
        page.await("document.querySelector('[data-column=mean_return]').dataset.points == 3");
    }

    private static void halfALineIsNotShown(Chromium page, Path run) throws IOException, InterruptedException {
        Path table = run.resolve("progress.csv");
        Files.writeString(table, "4,2080,100,0.75,9,100,0,0,0.5,0,0,NaN,0.5,0.001,0.5\n", StandardOpenOption.APPEND);
        page.await("document.querySelector('[data-column=mean_return]').dataset.points == 4");
        page.await("document.querySelector('[data-column=mean_return] .legend').textContent.includes('0.75')");
        // A line that is half written is not there yet.
        Files.writeString(table, "5,2600,100,0.8", StandardOpenOption.APPEND);
        Thread.sleep(1500);
        assertThat(page.evaluate("document.querySelector('[data-column=mean_return]').dataset.points")
                        .asText())
                .isEqualTo("4");
    }

    private static void tabsShowSettingsAndTimes(Chromium page) throws InterruptedException {
        page.key("3");
        page.await("document.querySelector('#settings table').innerText.includes('learning_rate')");
        page.key("2");
        page.await("document.querySelector('#phases .legend')");
        assertThat(page.evaluate("document.querySelector('#phases').innerText").asText())
                .contains("learning", "idle");
    }

    private static void attentionIsThatOfThePlantedRun(Chromium page) throws InterruptedException {
        page.key("4");
        page.await("document.querySelector('.panel')?.dataset.looksAt !== undefined");
        page.await("document.querySelector('.stage img').naturalWidth > 100");
        int steps =
                page.evaluate("Number(document.querySelector('#scrub').max)").asInt();
        assertThat(steps).isGreaterThan(2);
        for (int step = 1; step < steps; step++) {
            page.key("ArrowRight");
            JsonNode panel = page.evaluate("({...document.querySelector('.panel').dataset})");
            assertThat(panel.get("step").asInt()).isEqualTo(step);
            assertThat(panel.get("looksAt").asInt()).isZero();
            assertThat(panel.get("weight").asDouble()).isCloseTo(PlantedRun.expectedWeight(step), within(2e-3));
        }
        // What is drawn: the brightest of the strip is its first cell, of the map its first column.
        JsonNode strip = page.evaluate("(c => Array.from({length: " + steps
                + "}, (_, i) => c.getContext('2d').getImageData(" + "Math.floor((i + 0.4) * c.width / " + steps
                + "), 5, 1, 1).data[0]))(document.querySelector('.strip'))");
        for (int cell = 1; cell < steps - 1; cell++) {
            assertThat(strip.get(0).asInt()).isGreaterThan(strip.get(cell).asInt() + 50);
        }
        page.hover(".strip", 0.5 / steps, 0.3);
        page.await("!document.querySelector('#tip').hidden");
        assertThat(page.evaluate("document.querySelector('#tip').innerText").asText())
                .contains("at step 0", "%", "sees which end is good");
        assertThat(page.evaluate("document.querySelector('.looked').innerText").asText())
                .contains("look most at step 0")
                .contains("the agent sees which end is good");
        page.key(" ");
        page.await("document.querySelector('[data-act=play]').textContent == 'Pause'");
        page.key(" ");
        page.await("document.querySelector('[data-act=play]').textContent == 'Play'");
    }

    private static void sideBySide(Chromium page) throws InterruptedException {
        page.evaluate("document.querySelector('#beside').click()");
        page.await("document.querySelectorAll('.panel').length == 2"
                + " && document.querySelectorAll('.panel')[1].dataset.looksAt !== undefined");
        page.size(390, 844, true);
        page.await("document.documentElement.scrollWidth <= innerWidth");
        page.size(1280, 900, false);
    }

    /** Names with markup in them are text; a run that is deleted while it is shown is said to be gone. */
    private static void otherThings(Chromium page, Path runs) throws IOException, InterruptedException {
        String name = "<img src=x onerror=document.title='hit'>";
        PlantedRun.train(runs.resolve(name), 4, 1);
        page.await("document.querySelector('#runs').innerText.includes(\"<img src=x\")");
        DurableFiles.deleteTree(runs.resolve("planted"));
        page.await("document.querySelector('#problem').innerText.includes('No longer there: planted')");
        assertThat(page.evaluate("document.title").asText()).isEqualTo("Fovea");
    }

    @Test
    void saysWhatADirectoryWithoutRunsIs() throws IOException, InterruptedException {
        Path browser = browser();
        Path runs = Files.createDirectory(directory.resolve("runs"));
        Files.writeString(runs.resolve("holiday.txt"), "not a run");
        try (Dashboard dashboard = serve(runs);
                Chromium page = new Chromium(browser, directory.resolve("browser"), 900, 700)) {
            page.open(dashboard.address());
            page.await("document.querySelector('#empty').innerText.includes('holiday.txt')");
            assertThat(page.evaluate("document.querySelector('#empty').innerText")
                            .asText())
                    .contains("There is no run in", "fovea train --out");
            assertThat(page.complaints).isEmpty();
        }
    }

    /** Of runs of ProofOfMemory, best of two seeds in the directory. */
    @Test
    void keepsPictures() throws IOException, InterruptedException {
        String runs = System.getProperty("fovea.screenshots", "");
        assumeTrue(!runs.isEmpty(), "no pictures are kept without -Dfovea.screenshots=RUNS_DIR");
        try (Dashboard dashboard = serve(Path.of(runs));
                Chromium page = new Chromium(browser(), directory.resolve("browser"), 1280, 800)) {
            page.prefer("light");
            page.open(dashboard.address());
            page.await("document.querySelectorAll('#runs tbody tr').length > 0");
            page.evaluate("document.querySelectorAll('#runs tbody tr:not(.chosen) input').forEach(box => box.click())");
            page.await("document.querySelector('[data-column=mean_return]').dataset.points > 0");
            keep(page, "dashboard-curves.png");
            page.key("4");
            toTheFirstDecision(page);
            keep(page, "dashboard-episode.png");
            page.evaluate("document.querySelector('#beside').click()");
            page.await("document.querySelectorAll('.panel')[1]?.dataset.looksAt !== undefined");
            page.key("t");
            page.size(1500, 1000, false);
            keep(page, "dashboard-side-by-side-dark.png");
            page.evaluate("document.querySelector('#beside').click()");
            page.size(390, 844, true);
            page.evaluate("document.querySelector('#panels').scrollIntoView()");
            keep(page, "dashboard-phone.png");
            assertThat(page.complaints).isEmpty();
        }
    }

    /** The cue is there in steps 0 and 1, and the agent can move from step 2 on. */
    private static void toTheFirstDecision(Chromium page) throws InterruptedException {
        page.await("document.querySelector('.panel')?.dataset.looksAt !== undefined");
        page.key("Home");
        for (int step = 0; step < 3; step++) {
            page.key("ArrowRight");
        }
    }

    private static void keep(Chromium page, String name) throws IOException, InterruptedException {
        page.await("[...document.images].every(image => image.complete)");
        Thread.sleep(1500);
        Files.write(Files.createDirectories(Path.of("docs/images")).resolve(name), page.screenshot());
    }
}
