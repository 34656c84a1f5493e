// SPDX-License-Identifier: Apache-2.0
#include "decode.h"

#include <algorithm>
#include <bit>

#include "module.h"

namespace ptx {

namespace {

const std::unordered_map<std::string_view, Special> SPECIALS{
    {"%tid.x", Special::TID_X}, {"%tid.y", Special::TID_Y}, {"%tid.z", Special::TID_Z},
    {"%ntid.x", Special::NTID_X}, {"%ntid.y", Special::NTID_Y}, {"%ntid.z", Special::NTID_Z},
    {"%ctaid.x", Special::CTAID_X}, {"%ctaid.y", Special::CTAID_Y}, {"%ctaid.z", Special::CTAID_Z},
    {"%nctaid.x", Special::NCTAID_X}, {"%nctaid.y", Special::NCTAID_Y}, {"%nctaid.z", Special::NCTAID_Z},
    {"%laneid", Special::LANEID}, {"%warpid", Special::WARPID}, {"%nwarpid", Special::NWARPID},
    {"%lanemask_eq", Special::LANEMASK_EQ}, {"%lanemask_le", Special::LANEMASK_LE}, {"%lanemask_lt", Special::LANEMASK_LT},
    {"%lanemask_ge", Special::LANEMASK_GE}, {"%lanemask_gt", Special::LANEMASK_GT},
    {"%dynamic_smem_size", Special::DYNAMIC_SMEM_SIZE}, {"%total_smem_size", Special::TOTAL_SMEM_SIZE}};

constexpr uint32_t LINE = 64;  // places of registers begin at cache lines

Modifiers split(std::string_view opcode) {
    Modifiers parts;
    for (size_t at = 0; at <= opcode.size();) {
        const size_t end = std::min(opcode.find('.', at), opcode.size());
        parts.push_back(opcode.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

uint64_t truncate(uint64_t bits, Width width) {
    return width == Width::PREDICATE ? (bits ? ~uint64_t(0) : 0)
           : width == Width::BITS64  ? bits
                                     : bits & ((uint64_t(1) << bits_of(width)) - 1);
}

size_t align_up(size_t at, size_t alignment) { return (at + alignment - 1) / alignment * alignment; }

}  // namespace

const Forms& forms() {
    static const Forms all = [] {
        Forms forms;
        add_integer_forms(forms);
        add_float_forms(forms);
        add_half_forms(forms);
        add_approximate_forms(forms);
        add_convert_forms(forms);
        add_half_conversions(forms);
        add_compare_forms(forms);
        return forms;
    }();
    return all;
}

std::unique_ptr<const Program> decode(const Module& module, const Kernel& kernel) { return Decoder(module, kernel).decode(); }

Decoder::Decoder(const Module& module, const Kernel& kernel)
    : module_(module), kernel_(kernel), program_(std::make_unique<Program>()) {}

void Decoder::refuse(const std::string& what) const {
    std::string text(statement_->opcode);
    throw Error(module_.file() + ":" + std::to_string(statement_->line) + ": " + kernel_.name + ": " + what + ": " + text);
}

std::unique_ptr<const Program> Decoder::decode() {
    program_->module = &module_;
    program_->kernel = &kernel_;
    program_->body = parse_body(module_.state().text, module_.file(), kernel_);
    widths_ = program_->body.registers;
    fixed_.assign(widths_.size(), false);
    places_.assign(widths_.size(), 0);
    lay_out_variables();
    for (const Statement& s : program_->body.statements) {
        first_draft_.push_back(drafts_.size());
        statement(s);
    }
    first_draft_.push_back(drafts_.size());
    finish();
    return std::move(program_);
}

void Decoder::lay_out_variables() {
    std::vector<std::string_view> used;
    for (const Statement& s : program_->body.statements) {
        for (const Operand& operand : s.operands) {
            if (operand.reg < 0 && !operand.name.empty()) used.push_back(operand.name);
        }
    }
    std::sort(used.begin(), used.end());
    for (const auto& parameter : kernel_.parameters) addresses_[parameter.name] = int64_t(parameter.offset);
    size_t shared = 0, local = 0;
    const auto lay_out = [&](const Variable& variable) {
        if (!std::binary_search(used.begin(), used.end(), std::string_view(variable.name))) return;
        if (variable.space == Space::SHARED) {
            if (variable.external) return;
            shared = align_up(shared, variable.align);
            addresses_[variable.name] = int64_t(shared);
            shared += variable.bytes;
        } else if (variable.space == Space::LOCAL) {
            local = align_up(local, variable.align);
            addresses_[variable.name] = int64_t(local);
            local += variable.bytes;
        } else {
            addresses_[variable.name] = int64_t(reinterpret_cast<uintptr_t>(variable.value.data()));
        }
    };
    for (const Variable& variable : module_.state().variables) lay_out(variable);
    for (const Variable& variable : program_->body.variables) lay_out(variable);
    program_->static_shared = shared;
    size_t dynamic = align_up(shared, 16);
    for (const Variable& variable : module_.state().variables) {
        if (variable.external && variable.space == Space::SHARED) {
            dynamic = align_up(dynamic, variable.align);
            addresses_[variable.name] = int64_t(dynamic);
        }
    }
    program_->dynamic_shared_at = uint32_t(dynamic);
    program_->local_bytes = align_up(local, 16);
}

int Decoder::temporary(Width width) {
    widths_.push_back(width);
    fixed_.push_back(false);
    places_.push_back(0);
    return int(widths_.size()) - 1;
}

int Decoder::constant(uint64_t bits, Width width) {
    bits = truncate(bits, width);
    const auto [found, is_new] = constants_.try_emplace(std::to_string(int(width)) + ":" + std::to_string(bits), 0);
    if (is_new) {
        const int reg = temporary(width);
        found->second = reg;
        fixed_[size_t(reg)] = true;
        places_[size_t(reg)] = fixed_bytes_;
        program_->constants.push_back({fixed_bytes_, width, bits});
        fixed_bytes_ += uint32_t(align_up(register_bytes_of(width), LINE));
    }
    return found->second;
}

int64_t Decoder::symbol(const Operand& operand) const {
    const auto found = addresses_.find(operand.name);
    if (found == addresses_.end()) refuse("an unknown name, " + std::string(operand.name));
    return found->second;
}

bool Decoder::is_constant(const Operand& operand, int64_t& value) const {
    if (operand.kind == Operand::IMMEDIATE || (operand.kind == Operand::ADDRESS && operand.reg < 0 && operand.name.empty())) {
        value = operand.value;
        return true;
    }
    if (operand.kind == Operand::SYMBOL || (operand.kind == Operand::ADDRESS && operand.reg < 0)) {
        value = symbol(operand) + operand.value;
        return true;
    }
    return false;
}

int Decoder::source(const Operand& operand, Width width) {
    int64_t value;
    if (is_constant(operand, value)) {
        if (operand.negated) value = !value;
        return constant(uint64_t(value), width);
    }
    int reg = operand.reg;
    if (operand.kind == Operand::SPECIAL) {
        if (operand.name == "WARP_SZ") return constant(WARP, width);
        const auto special = SPECIALS.find(operand.name);
        if (special == SPECIALS.end()) refuse("an unknown special register, " + std::string(operand.name));
        const auto [found, is_new] = special_registers_.try_emplace(operand.name, 0);
        if (is_new) {
            found->second = temporary(Width::BITS32);
            fixed_[size_t(found->second)] = true;
            places_[size_t(found->second)] = fixed_bytes_;
            program_->specials.push_back({special->second, fixed_bytes_});
            fixed_bytes_ += register_bytes_of(Width::BITS32);
        }
        reg = found->second;
    } else if (operand.kind != Operand::REGISTER) {
        refuse("an operand that is not a register or a number");
    }
    const Width has = widths_[size_t(reg)];
    if (operand.negated) {
        const int negated = temporary(width);
        emit(negate_predicate, Class::INTEGER, {{negated, Draft::D}}, {{reg, Draft::A}});
        return negated;
    }
    if (has == width) return reg;
    if ((has == Width::PREDICATE) != (width == Width::PREDICATE) || (has < width && operand.kind != Operand::SPECIAL)) {
        refuse("a register of another size than the instruction's, " + std::string(operand.name));
    }
    const int resized = temporary(width);
    emit(resize(width, has, false), Class::MOVE, {{resized, Draft::D}}, {{reg, Draft::A}});
    return resized;
}

int Decoder::target(const Operand& operand, Width width, bool is_signed) {
    if (operand.kind == Operand::SINK) return temporary(width);
    if (operand.kind != Operand::REGISTER) refuse("a target that is not a register");
    const Width has = widths_[size_t(operand.reg)];
    if (has == width) return operand.reg;
    if (has < width || width == Width::PREDICATE) {
        refuse("a target of another size than the instruction's, " + std::string(operand.name));
    }
    const int narrow = temporary(width);
    extensions_.push_back({narrow, operand.reg, is_signed});
    return narrow;
}

int Decoder::base(const Operand& address, Width width, int64_t& offset) {
    offset = 0;
    if (address.kind != Operand::ADDRESS) refuse("an operand that is not an address");
    int64_t value;
    if (is_constant(address, value)) return constant(uint64_t(value), width);
    offset = address.value;
    Operand reg = address;
    reg.kind = Operand::REGISTER;
    return source(reg, width);
}

void Decoder::writes_shared(uint32_t bytes) { smallest_write_ = std::min(smallest_write_, bytes); }

Draft& Decoder::emit(Handler run, Class kind, std::vector<Argument> sets, std::vector<Argument> uses) {
    const size_t at = drafts_.size();
    drafts_.emplace_back();
    {
        Draft& draft = drafts_.back();
        draft.instruction.run = run;
        draft.detail = {statement_->opcode, statement_->line, statement_->location, kind};
        if (statement_->guard >= 0) {
            draft.instruction.guarded = run;
            draft.instruction.run = guarded;
            draft.instruction.guard = statement_->guard_negated;
            draft.uses.push_back({statement_->guard, Draft::GUARD, false});
        }
        for (const auto& [reg, field] : uses) {
            draft.uses.push_back({reg, field, false});
            if (field >= Draft::MORE) draft.more.resize(std::max(draft.more.size(), size_t(field - Draft::MORE + 1)));
        }
        for (const auto& [reg, field] : sets) {
            // Lanes for which a guard doesn't hold keep what was there.
            if (statement_->guard >= 0) draft.uses.push_back({reg, field, false});
            draft.uses.push_back({reg, field, true});
            if (field >= Draft::MORE) draft.more.resize(std::max(draft.more.size(), size_t(field - Draft::MORE + 1)));
        }
    }
    std::vector<Extension> extensions;
    extensions.swap(extensions_);
    for (const auto& [from, to, is_signed] : extensions) {
        emit(resize(widths_[size_t(to)], widths_[size_t(from)], is_signed), Class::MOVE, {{to, Draft::D}}, {{from, Draft::A}});
    }
    return drafts_[at];
}

void Decoder::statement(const Statement& statement) {
    statement_ = &statement;
    const Modifiers parts = split(statement.opcode);
    for (const auto decode : {decode_mbarrier, decode_bulk_copy, decode_tensor_copy, decode_wgmma, decode_control, decode_move,
                              decode_predicate, decode_memory, decode_atomic, decode_copy,
                              decode_shuffle,
                              decode_barrier, decode_matrix}) {
        if (decode(*this, parts)) return;
    }
    const Form* form = forms().find(statement.opcode);
    if (!form) refuse("an unknown instruction");
    elementwise(*form);
}

void Decoder::elementwise(const Form& form) {
    const auto& operands = statement_->operands;
    const size_t count = form.arguments.size();
    if (operands.size() != count + 1) {
        refuse("takes " + std::to_string(count + 1) + " operands, not " + std::to_string(operands.size()));
    }
    constexpr int FIELDS[] = {Draft::A, Draft::B, Draft::C, Draft::MORE, Draft::MORE + 1};
    int64_t immediate = 0;
    const bool immediate_last = form.immediate && is_constant(operands[count], immediate);
    std::vector<Argument> uses;
    for (size_t i = 0; i < count - immediate_last; i++) {
        uses.push_back({source(operands[i + 1], form.arguments[i]), FIELDS[i]});
    }
    const int d = target(operands[0], form.result, form.is_signed);
    Draft& draft = emit(immediate_last ? form.immediate : form.registers, form.kind, {{d, Draft::D}}, uses);
    draft.instruction.immediate = immediate;
}

void Decoder::finish() {
    // A kernel whose last statement is no ret ends there.
    if (drafts_.empty() || !drafts_.back().ends) {
        static const Statement end{.opcode = "ret"};
        statement_ = &end;
        decode_control(*this, {"ret"});
    }
    std::vector<int> targets(drafts_.size(), -1);
    for (size_t i = 0; i < drafts_.size(); i++) {
        if (drafts_[i].label.empty()) continue;
        const auto label = program_->body.labels.find(drafts_[i].label);
        if (label == program_->body.labels.end()) {
            throw Error(module_.file() + ":" + std::to_string(drafts_[i].detail.line) + ": no label "
                        + std::string(drafts_[i].label));
        }
        targets[i] = int(std::min(first_draft_[label->second], drafts_.size() - 1));
    }
    const Placement placement = place_registers(drafts_, targets, widths_, fixed_, fixed_bytes_);
    const auto place = [&](int reg) { return fixed_[size_t(reg)] ? places_[size_t(reg)] : placement.places[size_t(reg)]; };
    program_->register_bytes = uint32_t(align_up(placement.bytes, LINE));
    size_t more = 0;
    for (const Draft& draft : drafts_) more += draft.more.size();
    program_->more.reserve(more);
    program_->instructions.resize(drafts_.size());
    for (size_t i = 0; i < drafts_.size(); i++) {
        Draft& draft = drafts_[i];
        Instruction& in = draft.instruction;
        for (const auto& [reg, field, sets] : draft.uses) {
            const uint32_t at = place(reg);
            if (field == Draft::D) in.d = at;
            else if (field == Draft::A) in.a = at;
            else if (field == Draft::B) in.b = at;
            else if (field == Draft::C) in.c = at;
            else if (field == Draft::GUARD) in.guard |= at;
            else draft.more[size_t(field - Draft::MORE)] = at;
        }
        if (!draft.more.empty()) {
            in.more = program_->more.data() + program_->more.size();
            program_->more.insert(program_->more.end(), draft.more.begin(), draft.more.end());
        }
        if (targets[i] >= 0) in.target = &program_->instructions[size_t(targets[i])];
        program_->instructions[i] = in;
        program_->details.push_back(draft.detail);
    }
    for (const int reg : placement.unset) program_->unset.push_back({placement.places[size_t(reg)], widths_[size_t(reg)]});
    watch_unset_registers(*program_, drafts_, placement.unset, widths_.size());
    program_->shadow_shift = uint32_t(std::countr_zero(smallest_write_));
    program_->body.statements = {};
    program_->body.labels.clear();
}

}  // namespace ptx
