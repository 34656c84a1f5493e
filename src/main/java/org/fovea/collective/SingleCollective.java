// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import org.fovea.backend.memory.DeviceArray;

/** {@link Collective#single}. */
final class SingleCollective implements Collective {
    static final Collective INSTANCE = new SingleCollective();

    private SingleCollective() {}

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public int size() {
        return 1;
    }

    @Override
    public void allReduceSum(DeviceArray array) {
        // A sum of one.
    }

    @Override
    public void broadcast(DeviceArray array, int root) {
        // It has what it would be given.
    }

    @Override
    public byte[][] gather(byte[] own) {
        return new byte[][] {own};
    }

    @Override
    public boolean isCapturable() {
        return true;
    }

    @Override
    public void fail(String reason) {
        // Nobody is there to be told.
    }

    @Override
    public void close() {
        // There is nothing to leave.
    }
}
