// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import org.jspecify.annotations.Nullable;

/** Makes one array of another, and can say in an error what it is called. */
@FunctionalInterface
public interface NamedFunction<T, R> {
    R apply(String name, T array);

    static <T, R> @Nullable R ofNullable(String name, @Nullable T array, NamedFunction<? super T, ? extends R> change) {
        return array == null ? null : change.apply(name, array);
    }
}
