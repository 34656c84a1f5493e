// SPDX-License-Identifier: Apache-2.0
// libcublas.so.12 over the simulated driver: the cuBLAS calls that Fovea makes, as plain loops.
//
// Products run on the stream of their handle like kernels do, so they are late where nothing waits for them, fail when
// they are told to (simulator_fault knows cuBLAS functions too) and can be captured. Stricter than the real library: a
// product without a workspace of the caller's own is refused, since the library would then allocate one, and in a capture
// one of a kind that was not multiplied before, since its kernel would be loaded then, which drivers before CUDA 12.3 can't.
#include <cstdint>
#include <cstring>
#include <set>

#include "exports.h"

#define API extern "C" __attribute__((visibility("default"))) Status

namespace {

enum class Status {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    ALLOC_FAILED = 3,
    INVALID_VALUE = 7,
    EXECUTION_FAILED = 13,
    NOT_SUPPORTED = 15,
};

enum Operation { NORMAL = 0, TRANSPOSED = 1 };
enum MathMode { DEFAULT_MATH = 0, PEDANTIC_MATH = 2, TF32_TENSOR_OP_MATH = 3 };

constexpr int VERSION = 120600;
constexpr size_t WORKSPACE_ALIGNMENT = 256;
constexpr size_t HANDLE_BYTES = 1024;

struct Handle {
    uintptr_t memory;  // on the device, as a real handle has; counts as an allocation until it is destroyed
    void* stream = nullptr;
    bool has_workspace = false;
    MathMode math_mode = DEFAULT_MATH;
    std::set<int> kinds;  // of products that were multiplied outside of a capture
};

struct Product {
    bool transpose_a, transpose_b, tf32;
    int m, n, k, lda, ldb, ldc, batch;
    int64_t stride_a, stride_b, stride_c;
    float alpha, beta;
    const float *a, *b;
    float* c;
};

// Rounded to nearest, ties away from zero, as the conversion of the tensor cores does: 10 bits of mantissa are left.
float to_tf32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & ~0x1FFFu;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// C = alpha op(A) op(B) + beta C, column-major: op(A) [m, k], op(B) [k, n], C [m, n]
void multiply(const void* arguments) {
    const Product& p = *static_cast<const Product*>(arguments);
    for (int64_t i = 0; i < p.batch; i++) {
        const float* a = p.a + i * p.stride_a;
        const float* b = p.b + i * p.stride_b;
        float* c = p.c + i * p.stride_c;
        for (int64_t column = 0; column < p.n; column++) {
            for (int64_t row = 0; row < p.m; row++) {
                float sum = 0;
                for (int64_t depth = 0; depth < p.k; depth++) {
                    const float x = a[p.transpose_a ? depth + row * p.lda : row + depth * p.lda];
                    const float y = b[p.transpose_b ? column + depth * p.ldb : depth + column * p.ldb];
                    sum += p.tf32 ? to_tf32(x) * to_tf32(y) : x * y;
                }
                float& target = c[row + column * p.ldc];
                target = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * target);
            }
            simulator_written(c + column * p.ldc, size_t(p.m) * sizeof(float));
        }
    }
}

// The status of a call that is to fail: one of cuBLAS, or the one that stands for an error of the driver.
Status failure(int fault) {
    return fault < 100 ? Status(fault) : fault == Result::NOT_SUPPORTED ? Status::NOT_SUPPORTED : Status::EXECUTION_FAILED;
}

}  // namespace

#define BEGIN_CALL(handle)                                                      \
    if (const int fault = simulator_planned(__func__)) return failure(fault);   \
    if (!(handle)) return Status::NOT_INITIALIZED

API cublasCreate_v2(Handle** handle) {
    BEGIN_CALL(handle);
    const uintptr_t memory = simulator_allocate(HANDLE_BYTES);
    if (!memory) return Status::ALLOC_FAILED;
    *handle = new Handle{memory};
    return Status::SUCCESS;
}

API cublasDestroy_v2(Handle* handle) {
    BEGIN_CALL(handle);
    simulator_free(handle->memory);
    delete handle;
    return Status::SUCCESS;
}

API cublasGetVersion_v2(Handle* handle, int* version) {
    BEGIN_CALL(handle);
    *version = VERSION;
    return Status::SUCCESS;
}

// Takes the workspace away, as the real library does.
API cublasSetStream_v2(Handle* handle, void* stream) {
    BEGIN_CALL(handle);
    handle->stream = stream;
    handle->has_workspace = false;
    return Status::SUCCESS;
}

API cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
    BEGIN_CALL(handle);
    const uintptr_t address = reinterpret_cast<uintptr_t>(workspace);
    if (address % WORKSPACE_ALIGNMENT != 0 || !simulator_is_allocated(address, bytes)) return Status::INVALID_VALUE;
    handle->has_workspace = true;
    return Status::SUCCESS;
}

API cublasSetMathMode(Handle* handle, MathMode mode) {
    BEGIN_CALL(handle);
    if (mode != DEFAULT_MATH && mode != PEDANTIC_MATH && mode != TF32_TENSOR_OP_MATH) return Status::INVALID_VALUE;
    handle->math_mode = mode;
    return Status::SUCCESS;
}

API cublasSgemmStridedBatched(Handle* handle, Operation operation_a, Operation operation_b, int m, int n, int k,
                              const float* alpha, const float* a, int lda, int64_t stride_a, const float* b, int ldb,
                              int64_t stride_b, const float* beta, float* c, int ldc, int64_t stride_c, int batch) {
    BEGIN_CALL(handle);
    const bool transpose_a = operation_a != NORMAL, transpose_b = operation_b != NORMAL;
    if (m < 0 || n < 0 || k < 0 || batch < 0 || lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k) || ldc < m
        || !handle->has_workspace) {
        return Status::INVALID_VALUE;
    }
    const Product product{transpose_a, transpose_b, handle->math_mode == TF32_TENSOR_OP_MATH, m, n, k, lda, ldb, ldc,
                          batch, stride_a, stride_b, stride_c, *alpha, *beta, a, b, c};
    const int kind = transpose_a + 2 * transpose_b + 4 * (batch > 1) + 8 * int(handle->math_mode);
    if (handle->kinds.count(kind) == 0) {
        if (simulator_refuse_while_capturing(handle->stream) != Result::SUCCESS) return Status::EXECUTION_FAILED;
        handle->kinds.insert(kind);
    }
    const Result queued = simulator_enqueue(handle->stream, "cuBLAS", multiply, &product, sizeof product);
    return queued == Result::SUCCESS ? Status::SUCCESS : Status::EXECUTION_FAILED;
}
