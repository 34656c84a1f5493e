// SPDX-License-Identifier: Apache-2.0
package org.nd4j.linalg.jcublas.context;

import org.bytedeco.javacpp.Pointer;

/** Stands in for nd4j-cuda's class of this name, of which Fovea asks for the stream alone. */
public final class CudaContext {
    private final Pointer stream;

    public CudaContext(Pointer stream) {
        this.stream = stream;
    }

    public Pointer getCublasStream() {
        return stream;
    }
}
