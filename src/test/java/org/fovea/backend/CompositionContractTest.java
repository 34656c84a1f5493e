package org.fovea.backend;

import org.fovea.backend.reference.CompositionBackend;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** Every default composition, in both precisions. */
@Tag("integration")
class CompositionContractTest {

    @Nested
    class InFloat32 extends PlainContract {
        @Override
        public Backend open() {
            return new CompositionBackend(DType.F32);
        }
    }

    @Nested
    class InFloat64 extends PlainContract {
        @Override
        public Backend open() {
            return new CompositionBackend(DType.F64);
        }
    }
}
