package org.fovea.backend;

/** One array each for query, key and value, in their layout: tangents, or gradients. */
public record QueryKeyValue(DeviceArray query, DeviceArray key, DeviceArray value) {}
