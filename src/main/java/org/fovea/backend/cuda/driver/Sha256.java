// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The checksum that files of the backend are named or verified by. */
final class Sha256 {
    private Sha256() {}

    /** In hexadecimal digits, as sha256sum prints it. */
    static String of(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }
}
