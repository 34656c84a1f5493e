// SPDX-License-Identifier: Apache-2.0
// From statements to instructions.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lanes.h"
#include "program.h"

namespace ptx {

std::unique_ptr<const Program> decode(const Module& module, const Kernel& kernel);

// Generic addresses of shared and local memory: no host has memory there.
constexpr uint64_t SHARED_WINDOW = uint64_t(1) << 48, LOCAL_WINDOW = uint64_t(1) << 49;

constexpr int bits_of(Width width) { return width == Width::PREDICATE ? 1 : 8 << int(width); }
constexpr uint32_t register_bytes_of(Width width) {
    return width == Width::PREDICATE ? 4 : uint32_t(WARP * bits_of(width) / 8);
}
template <class T>
constexpr Width width_of() {
    return std::is_same_v<T, bool> ? Width::PREDICATE
           : sizeof(T) <= 2        ? Width::BITS16
           : sizeof(T) == 4        ? Width::BITS32
                                   : Width::BITS64;
}

// An instruction that does the same in each lane.
struct Form {
    Handler registers = nullptr, immediate = nullptr;  // the last operand is an immediate
    Width result = Width::BITS32;
    bool is_signed = false;  // the result
    std::vector<Width> arguments;
    Class kind = Class::INTEGER;
};

class Forms {
  public:
    template <class F>
    void add(const std::string& name, F, Class kind) {
        using R = typename Signature<F>::Result;
        using A = typename Signature<F>::Arguments;
        Form form;
        form.registers = elementwise<F, false>;
        if constexpr (std::tuple_size_v<A> <= 2 && !std::is_same_v<std::tuple_element_t<std::tuple_size_v<A> - 1, A>, bool>) {
            form.immediate = elementwise<F, true>;
        }
        form.result = width_of<R>();
        form.is_signed = std::is_signed_v<R> && std::is_integral_v<R>;
        [&]<class... T>(std::type_identity<std::tuple<T...>>) { form.arguments = {width_of<T>()...}; }(std::type_identity<A>{});
        form.kind = kind;
        all_[name] = form;
    }
    // Another way to do the same.
    void replace(const std::string& name, Handler run) {
        all_.at(name).registers = run;
        all_.at(name).immediate = nullptr;
    }
    const Form* find(std::string_view name) const {
        const auto found = all_.find(std::string(name));
        return found == all_.end() ? nullptr : &found->second;
    }

  private:
    std::unordered_map<std::string, Form> all_;
};

const Forms& forms();
void add_integer_forms(Forms&);
void add_float_forms(Forms&);
void add_half_forms(Forms&);
void add_approximate_forms(Forms&);
void add_convert_forms(Forms&);
void add_half_conversions(Forms&);  // after these
void add_compare_forms(Forms&);

// An instruction whose registers have no places yet.
struct Draft {
    Instruction instruction{};
    Detail detail;
    struct Use {
        int reg;
        int field;  // of `d`, `a`, `b`, `c`, GUARD, or from MORE on of `more`
        bool sets;
    };
    static constexpr int D = 0, A = 1, B = 2, C = 3, GUARD = 4, MORE = 5;
    std::vector<Use> uses;
    std::vector<uint32_t> more;   // values of `more` that are no registers stay as they are
    std::string_view label;       // of a branch
    bool ends = false;            // nothing falls through: bra without a guard, ret
};

// Gives registers places in a warp's memory, so that few are in use at a time.
struct Placement {
    std::vector<uint32_t> places;  // by register; constants keep those they have
    uint32_t bytes;
    std::vector<int> unset;  // registers that some way reads before it sets them
};
// `targets`: of each draft the draft to which it may branch, or -1. Places begin at `first`.
Placement place_registers(const std::vector<Draft>& drafts, const std::vector<int>& targets, const std::vector<Width>& widths,
                          const std::vector<bool>& fixed, uint32_t first);

// Makes instructions that use these registers look whether they are set.
void watch_unset_registers(Program& program, const std::vector<Draft>& drafts, const std::vector<int>& unset, size_t registers);

using Modifiers = std::vector<std::string_view>;
inline bool has(const Modifiers& modifiers, std::string_view wanted) {
    for (const auto& modifier : modifiers) {
        if (modifier == wanted) return true;
    }
    return false;
}

class Decoder {
  public:
    Decoder(const Module& module, const Kernel& kernel);
    std::unique_ptr<const Program> decode();

    // For the families of instructions. Registers' numbers; sources must be asked for before targets, for they may emit.
    int source(const Operand& operand, Width width);       // holding the operand's value; immediates become constants
    int target(const Operand& operand, Width width, bool is_signed = false);  // set by the instruction that is emitted next
    int constant(uint64_t bits, Width width);
    int temporary(Width width);
    bool is_constant(const Operand& operand, int64_t& value) const;  // immediates, addresses of variables
    int64_t symbol(const Operand& operand) const;

    struct Argument {
        int reg;
        int field;
    };
    // Adds an instruction, then the extensions of its targets.
    Draft& emit(Handler run, Class kind, std::vector<Argument> sets, std::vector<Argument> uses);
    const MmaForm* keep(const MmaForm& form) { return &program_->forms.emplace_back(form); }
    int64_t keep(const WgmmaForm& form) {
        program_->wgmma_forms.push_back(form);
        return int64_t(program_->wgmma_forms.size()) - 1;
    }
    void uses_async_proxy() { program_->uses_async_proxy = true; }
    uint32_t new_site() { return program_->sites++; }
    void writes_shared(uint32_t bytes);  // accesses of this size
    const Statement& statement() const { return *statement_; }
    [[noreturn]] void refuse(const std::string& what) const;
    Width width_of(int reg) const { return widths_[size_t(reg)]; }
    const Module& module() const { return module_; }
    const Kernel& kernel() const { return kernel_; }
    // Of a constant address, what is added to a register; else the register.
    int base(const Operand& address, Width width, int64_t& offset);

  private:
    void statement(const Statement& statement);
    void elementwise(const Form& form);
    void lay_out_variables();
    void finish();

    const Module& module_;
    const Kernel& kernel_;
    std::unique_ptr<Program> program_;
    const Statement* statement_ = nullptr;
    std::vector<Draft> drafts_;
    std::vector<Width> widths_;
    std::vector<bool> fixed_;
    std::vector<uint32_t> places_;  // of those that are fixed
    std::vector<size_t> first_draft_;  // of each statement
    std::unordered_map<std::string_view, int64_t> addresses_;
    std::unordered_map<std::string_view, int> special_registers_;
    std::unordered_map<std::string, int> constants_;
    struct Extension {
        int from, to;
        bool is_signed;
    };
    std::vector<Extension> extensions_;
    uint32_t fixed_bytes_ = 0;
    uint32_t smallest_write_ = 4;
};

// Each decodes the decoder's statement if it is of its family; `parts` are the opcode and its modifiers.
bool decode_control(Decoder&, const Modifiers& parts);
bool decode_move(Decoder&, const Modifiers& parts);
bool decode_predicate(Decoder&, const Modifiers& parts);
bool decode_memory(Decoder&, const Modifiers& parts);
bool decode_atomic(Decoder&, const Modifiers& parts);
bool decode_copy(Decoder&, const Modifiers& parts);
bool decode_shuffle(Decoder&, const Modifiers& parts);
bool decode_barrier(Decoder&, const Modifiers& parts);
bool decode_matrix(Decoder&, const Modifiers& parts);
bool decode_mbarrier(Decoder&, const Modifiers& parts);
bool decode_bulk_copy(Decoder&, const Modifiers& parts);
bool decode_tensor_copy(Decoder&, const Modifiers& parts);
bool decode_wgmma(Decoder&, const Modifiers& parts);

// A conversion between widths: truncation, or extension.
Handler resize(Width to, Width from, bool is_signed);
const Instruction* negate_predicate(Warp& warp, const Instruction* in);
// Runs an instruction for those lanes for which its guard holds.
const Instruction* guarded(Warp& warp, const Instruction* in);

}  // namespace ptx
