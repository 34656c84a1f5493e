// SPDX-License-Identifier: Apache-2.0
#include "tensor_cores.h"

#include <cstring>

#include "../ptx/semantics/ldmatrix.h"
#include "../ptx/semantics/mma.h"

namespace sim {

namespace {

const ptx::MmaForm FORMS[] = {*ptx::MmaForm::parse("m16n8k16.row.col.f32.bf16.bf16.f32"),
                              *ptx::MmaForm::parse("m16n8k16.row.col.f32.f16.f16.f32"),
                              *ptx::MmaForm::parse("m16n8k8.row.col.f32.tf32.tf32.f32")};
ptx::Sums tensor_sums{};

}  // namespace

void set_tensor_sums(ptx::Sums sums) { tensor_sums = sums; }

template <Operand TYPE>
void Product::compute(void* const* lanes) {
    uint32_t a[4][32], b[2][32], d[4][32];
    for (int lane = 0; lane < 32; lane++) {
        const Product& own = *static_cast<const Product*>(lanes[lane]);
        for (int r = 0; r < 4; r++) {
            a[r][lane] = own.a[r];
            d[r][lane] = std::bit_cast<uint32_t>(own.d[r]);
        }
        for (int r = 0; r < 2; r++) {
            b[r][lane] = own.b[r];
        }
    }
    ptx::mma(FORMS[int(TYPE)], a, b, d, d, tensor_sums);
    for (int lane = 0; lane < 32; lane++) {
        for (int r = 0; r < 4; r++) {
            static_cast<const Product*>(lanes[lane])->d[r] = std::bit_cast<float>(d[r][lane]);
        }
    }
}

template <bool TRANSPOSED>
void MatrixLoad::compute(void* const* lanes) {
    uint16_t rows[32][8];
    uint32_t r[4][32];
    for (int lane = 0; lane < 32; lane++) {
        memcpy(rows[lane], static_cast<const MatrixLoad*>(lanes[lane])->row, sizeof rows[lane]);
    }
    ptx::ldmatrix(4, TRANSPOSED, rows, r);
    for (int lane = 0; lane < 32; lane++) {
        for (int matrix = 0; matrix < 4; matrix++) {
            static_cast<const MatrixLoad*>(lanes[lane])->r[matrix] = r[matrix][lane];
        }
    }
}

template void Product::compute<Operand::BF16>(void* const*);
template void Product::compute<Operand::F16>(void* const*);
template void Product::compute<Operand::TF32>(void* const*);
template void MatrixLoad::compute<false>(void* const*);
template void MatrixLoad::compute<true>(void* const*);

}  // namespace sim
