// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

/** An extent that tensors of a request share; the first tensor that has it decides it. */
enum Axis {
    BATCH("B"),
    HEADS("H"),
    KEY_HEADS("Hk"),
    QUERIES("Nq"),
    KEYS("Nk"),
    PAST("past"),
    /** Past and new keys together. */
    ALL_KEYS("T"),
    HEAD_DIM("d"),
    VALUE_DIM("dv"),
    /** One more than there are packed sequences. */
    SEQUENCE_ENDS("S + 1");

    private final String symbol;

    Axis(String symbol) {
        this.symbol = symbol;
    }

    @Override
    public String toString() {
        return symbol;
    }
}
