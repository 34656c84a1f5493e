package org.fovea.backend.cpu;

/** {@link org.fovea.backend.AttentionArguments} whose arrays were checked and lie on the CPU. */
record ArgumentArrays(CpuArray query, CpuArray key, CpuArray value) {}
