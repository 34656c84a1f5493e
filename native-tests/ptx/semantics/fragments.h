// SPDX-License-Identifier: Apache-2.0
// Which element of a matrix each lane's registers hold for mma.sync: the tables of the PTX ISA 9.0, sections 9.7.14.5.2 to
// 9.7.14.5.10, in their order and words.
#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ptx {

enum class Element : uint8_t { F16, BF16, TF32, F32, F64, S8, U8, S32 };

constexpr int bits_of(Element type) {
    switch (type) {
        case Element::S8:
        case Element::U8: return 8;
        case Element::F16:
        case Element::BF16: return 16;
        case Element::F64: return 64;
        default: return 32;
    }
}

// mma.sync.aligned.mMnNkK.row.col.D.A.B.C
struct MmaForm {
    int m, n, k;
    Element d, a, b, c;
    bool satfinite = false;  // of .s32

    bool operator==(const MmaForm&) const = default;
    int a_elements() const { return m * k / 32; }  // of a lane
    int b_elements() const { return k * n / 32; }
    int c_elements() const { return m * n / 32; }
    // Registers of a lane: of 64 bits for .f64, else of 32.
    static int registers(int elements, Element type) { return type == Element::F64 ? elements : elements * bits_of(type) / 32; }
    int a_registers() const { return registers(a_elements(), a); }
    int b_registers() const { return registers(b_elements(), b); }
    int c_registers() const { return registers(c_elements(), c); }
    int d_registers() const { return registers(c_elements(), d); }

    // Of an instruction's qualifiers after mma.sync.aligned, such as "m16n8k16.row.col.f32.f16.f16.f32". None if the ISA has
    // no such form, or if it isn't known here (4 bits and fewer, .e4m3 and its kind, block scaling, .m8n8k4 of .f16, .f16
    // products with C and D of different types).
    static std::optional<MmaForm> parse(std::string_view qualifiers);
};

struct Position {
    uint8_t row, column;
    bool operator==(const Position&) const = default;
};

// The place in A of element a_i of a lane: row in M, column in K.
constexpr Position a_position(const MmaForm& form, int lane, int i) {
    const int group = lane >> 2, in_group = lane % 4;  // groupID, threadID_in_group
    int row = group, column = 0;
    switch (bits_of(form.a)) {
        case 64:
            if (form.k == 4 && form.m == 8) {  // 9.7.14.5.2
                column = in_group;
            } else if (form.k == 4) {  // 9.7.14.5.6
                row = i == 0 ? group : group + 8;
                column = in_group;
            } else if (form.k == 8) {  // 9.7.14.5.7
                row = i == 0 || i == 2 ? group : group + 8;
                column = i == 0 || i == 1 ? in_group : in_group + 4;
            } else {  // 9.7.14.5.8
                row = i % 2 == 0 ? group : group + 8;
                column = i % 2 == 0 ? i * 2 + in_group : i * 2 - 2 + in_group;
            }
            break;
        case 32:  // .tf32
            if (form.k == 4) {  // 9.7.14.5.6
                row = i == 0 ? group : group + 8;
                column = in_group;
            } else {  // 9.7.14.5.7
                row = i == 0 || i == 2 ? group : group + 8;
                column = i == 0 || i == 1 ? in_group : in_group + 4;
            }
            break;
        case 16:
            if (form.k == 8) {  // 9.7.14.5.7
                row = i == 0 || i == 1 ? group : group + 8;
                column = in_group * 2 + (i & 1);
            } else {  // 9.7.14.5.8
                row = (0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8;
                column = i < 4 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
            }
            break;
        case 8:
            if (form.m == 8) {  // 9.7.14.5.3
                column = in_group * 4 + i;
            } else if (form.k == 16) {  // 9.7.14.5.9
                row = i < 4 ? group : group + 8;
                column = in_group * 4 + (i & 3);
            } else {  // 9.7.14.5.10
                row = (0 <= i && i < 4) || (8 <= i && i < 12) ? group : group + 8;
                column = i < 8 ? in_group * 4 + (i & 3) : in_group * 4 + (i & 3) + 16;
            }
            break;
    }
    return {uint8_t(row), uint8_t(column)};
}

// The place in B of element b_i of a lane: row in K, column in N.
constexpr Position b_position(const MmaForm& form, int lane, int i) {
    const int group = lane >> 2, in_group = lane % 4;
    int row = 0;
    switch (bits_of(form.b)) {
        case 64:
            if (form.k == 4) {  // 9.7.14.5.2, 9.7.14.5.6
                row = in_group;
            } else if (form.k == 8) {  // 9.7.14.5.7
                row = i == 0 ? in_group : in_group + 4;
            } else {  // 9.7.14.5.8
                row = in_group + i * 4;
            }
            break;
        case 32:
            if (form.k == 4) {  // 9.7.14.5.6
                row = in_group;
            } else {  // 9.7.14.5.7
                row = i == 0 ? in_group : in_group + 4;
            }
            break;
        case 16:
            if (form.k == 8) {  // 9.7.14.5.7
                row = in_group * 2 + i;
            } else {  // 9.7.14.5.8
                row = i < 2 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
            }
            break;
        case 8:
            if (form.k == 16) {  // 9.7.14.5.3, 9.7.14.5.9
                row = in_group * 4 + i;
            } else {  // 9.7.14.5.10
                row = i < 4 ? in_group * 4 + (i & 3) : in_group * 4 + (i & 3) + 16;
            }
            break;
    }
    return {uint8_t(row), uint8_t(group)};
}

// The place in C and D of element c_i of a lane: row in M, column in N.
constexpr Position c_position(const MmaForm& form, int lane, int i) {
    const int group = lane >> 2, in_group = lane % 4;
    if (form.m == 8) {  // 9.7.14.5.2, 9.7.14.5.3
        return {uint8_t(group), uint8_t(in_group * 2 + i)};
    }
    return {uint8_t(i < 2 ? group : group + 8), uint8_t(in_group * 2 + (i & 1))};  // the rest
}

inline std::optional<MmaForm> MmaForm::parse(std::string_view qualifiers) {
    const auto next = [&] {
        const size_t dot = qualifiers.find('.');
        const std::string_view part = qualifiers.substr(0, dot);
        qualifiers = dot == qualifiers.npos ? "" : qualifiers.substr(dot + 1);
        return part;
    };
    const auto element = [](std::string_view name) -> std::optional<Element> {
        constexpr std::string_view NAMES[] = {"f16", "bf16", "tf32", "f32", "f64", "s8", "u8", "s32"};
        for (int i = 0; i < 8; i++) {
            if (NAMES[i] == name) return Element(i);
        }
        return {};
    };
    const std::string_view shape = next();
    if (next() != "row" || next() != "col") {
        return {};
    }
    MmaForm form{};
    if (qualifiers.starts_with("satfinite.")) {
        form.satfinite = true;
        next();
    }
    const auto d = element(next()), a = element(next()), b = element(next()), c = element(next());
    const size_t n = shape.find('n'), k = shape.find('k');
    if (!d || !a || !b || !c || !qualifiers.empty() || n == shape.npos || k == shape.npos) {
        return {};
    }
    std::from_chars(shape.data() + 1, shape.data() + n, form.m);
    std::from_chars(shape.data() + n + 1, shape.data() + k, form.n);
    std::from_chars(shape.data() + k + 1, shape.data() + shape.size(), form.k);
    form.d = *d, form.a = *a, form.b = *b, form.c = *c;
    const bool m16 = form.m == 16 && form.n == 8, m8 = form.m == 8 && form.n == 8, same = form.a == form.b;
    const bool f32 = form.c == Element::F32 && form.d == Element::F32;
    bool known = false;
    switch (form.a) {
        case Element::F16:
            known = m16 && same && (f32 || (form.c == Element::F16 && form.d == Element::F16)) && (form.k == 8 || form.k == 16);
            break;
        case Element::BF16: known = m16 && same && f32 && (form.k == 8 || form.k == 16); break;
        case Element::TF32: known = m16 && same && f32 && (form.k == 4 || form.k == 8); break;
        case Element::F64:
            known = same && form.c == Element::F64 && form.d == Element::F64
                    && ((m8 && form.k == 4) || (m16 && (form.k == 4 || form.k == 8 || form.k == 16)));
            break;
        case Element::S8:
        case Element::U8:
            known = (form.b == Element::S8 || form.b == Element::U8) && form.c == Element::S32 && form.d == Element::S32
                    && ((m8 && form.k == 16) || (m16 && (form.k == 16 || form.k == 32)));
            break;
        default: break;
    }
    return known && (!form.satfinite || form.c == Element::S32) ? std::optional(form) : std::nullopt;
}

}  // namespace ptx
