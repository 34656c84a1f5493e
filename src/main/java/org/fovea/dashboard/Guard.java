// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Who is served. On the loopback interface: requests whose {@code Host} is this machine's own name for itself, so that no name of
 * another's that resolves to it helps (DNS rebinding), and that no other site made. On any other: requests that bring the token.
 */
final class Guard {
    private static final String COOKIE = "fovea_token_";
    private static final int TOKEN_BYTES = 16;

    private final int port;

    /** Null on the loopback interface. */
    private final @Nullable String token;

    private Guard(int port, @Nullable String token) {
        this.port = port;
        this.token = token;
    }

    static Guard ofLoopback(int port) {
        return new Guard(port, null);
    }

    /** With a token of its own, never the same again. */
    static Guard withToken(int port) {
        byte[] random = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(random);
        return new Guard(port, HexFormat.of().formatHex(random));
    }

    @Nullable
    String token() {
        return token;
    }

    /** @throws RequestException unless the request is to be served */
    void check(HttpExchange exchange) throws RequestException {
        Headers headers = exchange.getRequestHeaders();
        List<String> hosts = headers.getOrDefault("Host", List.of());
        if (hosts.size() != 1) {
            throw new RequestException(403, "the request must say one Host");
        }
        String host = hosts.get(0).toLowerCase(Locale.ROOT);
        if (token == null && !isLoopback(host)) {
            throw new RequestException(
                    403,
                    "the request is for another host than localhost; fovea dashboard --bind serves others, by a token");
        }
        String origin = headers.getFirst("Origin");
        if (origin != null && !origin.equalsIgnoreCase("http://" + host)) {
            throw new RequestException(403, "the request is of another site");
        }
        String site = headers.getFirst("Sec-Fetch-Site");
        boolean isVisit = "navigate".equals(headers.getFirst("Sec-Fetch-Mode")) && isPage(exchange);
        if (site != null && !site.equals("same-origin") && !site.equals("none") && !isVisit) {
            throw new RequestException(403, "the request is of another site");
        }
        if (!exchange.getRequestMethod().equals("GET")) {
            throw new RequestException(405, "only GET is served");
        }
        if (token != null && !isEqual(given(exchange))) {
            throw new RequestException(401, "open the address with the token that fovea dashboard printed");
        }
    }

    /** Following a link to the page itself is harmless. */
    private static boolean isPage(HttpExchange exchange) {
        return exchange.getRequestURI().getPath().equals("/");
    }

    private boolean isLoopback(String host) {
        String name = host.endsWith(":" + port) ? host.substring(0, host.length() - (":" + port).length()) : host;
        return (name.length() < host.length() || port == 80)
                && List.of("localhost", "127.0.0.1", "[::1]").contains(name);
    }

    /** The cookie by which a browser that has shown the token goes on showing it; null if there is nothing to remember. */
    @Nullable
    String cookie(HttpExchange exchange) {
        return token != null && !Query.of(exchange).one("token", "").isEmpty()
                ? COOKIE + port + "=" + token + "; HttpOnly; SameSite=Strict; Path=/"
                : null;
    }

    private String given(HttpExchange exchange) {
        String inQuery = Query.of(exchange).one("token", "");
        if (!inQuery.isEmpty()) {
            return inQuery;
        }
        for (String cookies : exchange.getRequestHeaders().getOrDefault("Cookie", List.of())) {
            for (String cookie : cookies.split(";", -1)) {
                String name = COOKIE + port + "=";
                if (cookie.strip().startsWith(name)) {
                    return cookie.strip().substring(name.length());
                }
            }
        }
        return "";
    }

    private boolean isEqual(String given) {
        return token != null
                && MessageDigest.isEqual(
                        token.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8));
    }
}
