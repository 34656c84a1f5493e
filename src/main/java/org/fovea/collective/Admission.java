// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The first words on a connection: both ends prove to each other that they know the run's token, without saying it. Each answers
 * random bytes of the other's with their HMAC-SHA256 (RFC 2104) by the token, with its role, so that an answer serves no other end.
 */
final class Admission {
    private static final int MAGIC = 0x464f5641;
    private static final int CHALLENGE_BYTES = 32;
    private static final String ALGORITHM = "HmacSHA256";

    private final byte[] key;
    private final SecureRandom random = new SecureRandom();

    Admission(String token) {
        // A key of no bytes is refused by SecretKeySpec.
        this.key = ("fovea " + token).getBytes(StandardCharsets.UTF_8);
    }

    /** The other end is no rank of this run, or nothing that speaks this protocol. */
    static final class RefusedException extends IOException {
        private static final long serialVersionUID = 1;

        RefusedException(String message) {
            super(message);
        }
    }

    /** As the end that connects. */
    void present(DataInputStream in, DataOutputStream out) throws IOException {
        byte[] own = new byte[CHALLENGE_BYTES];
        random.nextBytes(own);
        out.writeInt(MAGIC);
        out.write(own);
        out.flush();
        byte[] challenge = challenge(in);
        out.write(answer(challenge, "connects"));
        out.flush();
        if (!in.readBoolean()) {
            throw new RefusedException("its " + RankSettings.TOKEN + " is another");
        }
        expect(in, answer(own, "accepts"));
    }

    /** As the end that is connected to. */
    void examine(DataInputStream in, DataOutputStream out) throws IOException {
        byte[] challenge;
        try {
            challenge = challenge(in);
        } catch (SocketTimeoutException e) {
            throw new RefusedException("it said nothing");
        }
        byte[] own = new byte[CHALLENGE_BYTES];
        random.nextBytes(own);
        out.writeInt(MAGIC);
        out.write(own);
        out.flush();
        try {
            expect(in, answer(own, "connects"));
        } catch (RefusedException e) {
            out.writeBoolean(false);
            out.flush();
            throw e;
        }
        out.writeBoolean(true);
        out.write(answer(challenge, "accepts"));
        out.flush();
    }

    private static byte[] challenge(DataInputStream in) throws IOException {
        if (in.readInt() != MAGIC) {
            throw new RefusedException("it is no rank of Fovea");
        }
        return in.readNBytes(CHALLENGE_BYTES);
    }

    private static void expect(DataInputStream in, byte[] answer) throws IOException {
        // Takes as long wherever they differ.
        if (!MessageDigest.isEqual(in.readNBytes(answer.length), answer)) {
            throw new RefusedException("its " + RankSettings.TOKEN + " is another");
        }
    }

    private byte[] answer(byte[] challenge, String role) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(key, ALGORITHM));
            mac.update(challenge);
            return mac.doFinal(role.getBytes(StandardCharsets.US_ASCII));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has " + ALGORITHM, e);
        }
    }
}
