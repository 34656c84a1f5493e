// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

/** A policy that cannot be written as was asked for; the message says why, and what can be. */
public final class NotExportableException extends RuntimeException {
    NotExportableException(String message) {
        super(message);
    }
}
