// SPDX-License-Identifier: Apache-2.0
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;

/** Asks a PolicyService again and again: LoadTest URL NUMBERS USERS REQUESTS, the last for each user. */
public final class LoadTest {
    public static void main(String[] arguments) throws Exception {
        int numbers = Integer.parseInt(arguments[1]);
        int users = Integer.parseInt(arguments[2]);
        int requests = Integer.parseInt(arguments[3]);
        ask(arguments[0], numbers, users, Math.max(200, requests / 5)); // warms both up
        long start = System.nanoTime();
        long[] nanos = ask(arguments[0], numbers, users, requests);
        double seconds = (System.nanoTime() - start) * 1e-9;
        Arrays.sort(nanos);
        System.out.printf(
                Locale.ROOT,
                "%,.0f requests/s, p50 %.0f us, p99 %.0f us%n",
                nanos.length / seconds,
                nanos[nanos.length / 2] * 1e-3,
                nanos[(int) (nanos.length * 0.99)] * 1e-3);
    }

    private static long[] ask(String url, int numbers, int users, int requests) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        String observation = "0.1 ".repeat(numbers);
        ExecutorService threads = Executors.newFixedThreadPool(users);
        List<Future<long[]>> all = new ArrayList<>();
        for (int user = 0; user < users; user++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url + "user" + user))
                    .POST(HttpRequest.BodyPublishers.ofString(observation))
                    .build();
            all.add(threads.submit(() -> {
                long[] nanos = new long[requests];
                for (int i = 0; i < requests; i++) {
                    long begin = System.nanoTime();
                    if (client.send(request, BodyHandlers.ofString()).statusCode() != 200) {
                        throw new IllegalStateException("the service refused " + request);
                    }
                    nanos[i] = System.nanoTime() - begin;
                }
                return nanos;
            }));
        }
        long[] nanos = new long[users * requests];
        for (int user = 0; user < users; user++) {
            System.arraycopy(all.get(user).get(), 0, nanos, user * requests, requests);
        }
        threads.shutdown();
        return nanos;
    }
}
