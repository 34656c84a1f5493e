// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.fovea.backend.Backend;
import org.fovea.backend.contract.CapturedStepContract;

/** Recorded steps do what captured ones do. */
final class RecordedStepContractTest extends CapturedStepContract {
    /** A CPU backend that records whatever is captured. */
    @Override
    public Backend open() {
        CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("capture")) {
                        return backend.record((Runnable) arguments[0]);
                    }
                    try {
                        return method.invoke(backend, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
