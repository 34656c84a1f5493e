// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.fovea.policy.Policy;
import org.fovea.policy.PolicySession;

/** A trained policy as a service: POST /act/USER with the numbers of an observation answers the choice; DELETE begins a new episode. */
public final class PolicyService {
    private static final int MOST_BYTES = 1 << 20;

    private final Policy policy;
    private final Map<String, PolicySession> sessions = new ConcurrentHashMap<>();

    private PolicyService(Policy policy) {
        this.policy = policy;
    }

    public static void main(String[] arguments) throws IOException {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        PolicyService service = new PolicyService(Policy.load(Path.of(arguments[0])));
        int port = Integer.parseInt(arguments[1]);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/act/", service::handle);
        server.setExecutor(Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors()));
        server.start();
        System.out.println(service.policy + " on http://localhost:" + server.getAddress().getPort() + "/act/USER");
    }

    private void handle(HttpExchange exchange) throws IOException {
        String user = exchange.getRequestURI().getPath();
        try {
            switch (exchange.getRequestMethod()) {
                case "POST" -> answer(exchange, 200, act(user, exchange.getRequestBody().readNBytes(MOST_BYTES)));
                case "DELETE" -> {
                    sessions.remove(user);
                    answer(exchange, 200, "");
                }
                default -> answer(exchange, 405, "POST or DELETE");
            }
        } catch (IllegalArgumentException e) { // a number that is none, or not as many as an observation has
            answer(exchange, 400, e.getMessage());
        }
    }

    private String act(String user, byte[] body) {
        String[] numbers = new String(body, StandardCharsets.UTF_8).strip().split("[\\s,]+");
        float[] observation = new float[numbers.length];
        for (int i = 0; i < numbers.length; i++) {
            observation[i] = Float.parseFloat(numbers[i]);
        }
        PolicySession session = sessions.computeIfAbsent(user, name -> policy.newSession());
        synchronized (session) { // two requests of one user take turns
            return session.act(observation).toString();
        }
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
