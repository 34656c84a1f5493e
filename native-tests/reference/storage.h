// SPDX-License-Identifier: Apache-2.0
// The types in which kernels store the elements of arrays.
#pragma once
#include <cstring>

#include "../cuda-on-cpu/tensor_cores.h"

enum class Storage { F32, BF16, F16 };

inline const char* name_of(Storage storage) {
    return storage == Storage::F32 ? "f32" : storage == Storage::BF16 ? "bf16" : "f16";
}

inline size_t bytes_of(Storage storage) { return storage == Storage::F32 ? 4 : 2; }

// The largest relative error of rounding to it.
inline double unit_of(Storage storage) {
    return storage == Storage::F32 ? 0x1p-24 : storage == Storage::BF16 ? 0x1p-8 : 0x1p-11;
}

// Element i of an array.
inline float load(Storage storage, const void* elements, size_t i) {
    if (storage == Storage::F32) {
        return static_cast<const float*>(elements)[i];
    }
    const uint16_t bits = static_cast<const uint16_t*>(elements)[i];
    return storage == Storage::BF16 ? sim::from_bf16(bits) : sim::from_f16(bits);
}

inline void store(Storage storage, void* elements, size_t i, float x) {
    if (storage == Storage::F32) {
        static_cast<float*>(elements)[i] = x;
    } else {
        static_cast<uint16_t*>(elements)[i] = storage == Storage::BF16 ? sim::to_bf16(x) : sim::to_f16(x);
    }
}

inline float round_to(Storage storage, float x) {
    float bits;
    store(storage, &bits, 0, x);
    return load(storage, &bits, 0);
}
