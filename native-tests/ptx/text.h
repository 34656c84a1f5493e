// SPDX-License-Identifier: Apache-2.0
// A kernel's text as statements: registers resolved through their scopes, everything else as written.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "machine.h"

namespace ptx {

// By the type in .reg.
enum class Width : uint8_t { PREDICATE, BITS16, BITS32, BITS64, BITS128 };

struct Operand {
    // A pair is p|q, a vector {a, b}; their parts are operands of their own.
    enum Kind : uint8_t { REGISTER, SPECIAL, IMMEDIATE, SYMBOL, LABEL, ADDRESS, VECTOR, PAIR, SINK } kind = SINK;
    bool negated = false;   // !p
    bool is_float = false;  // of an immediate: 0f... or 0d...
    int reg = -1;           // REGISTER, ADDRESS with a register as base
    int64_t value = 0;      // IMMEDIATE's bits, ADDRESS's offset
    std::string_view name;  // SPECIAL, SYMBOL, LABEL, ADDRESS with a symbol as base
    std::vector<Operand> parts;
};

// Where in the source an instruction comes from: .loc, and the place that it was inlined at.
struct Location {
    int file = 0, line = 0, inlined_file = 0, inlined_line = 0;
};

struct Statement {
    std::string_view opcode;  // with all its modifiers
    int guard = -1;           // a predicate register
    bool guard_negated = false;
    std::vector<Operand> operands;
    int line = 0;
    int location = -1;
};

// A .shared, .local, .const or .global variable.
struct Variable {
    std::string name;
    Space space;
    size_t bytes, align;
    std::vector<uint8_t> value;  // what it is initialised with, if anything
    bool external = false;       // .extern: dynamic shared memory
};

struct Body {
    std::vector<Width> registers;
    std::vector<std::string> register_names;
    std::vector<Statement> statements;
    std::vector<Location> locations;
    std::unordered_map<std::string_view, size_t> labels;  // index of the next statement
    std::vector<Variable> variables;
};

// Throws Error, "file:line: ...". The body refers to the text.
Body parse_body(const std::string& text, const std::string& file, const Kernel& kernel);

// Splits text into PTX's tokens, and counts lines.
class Lexer {
  public:
    Lexer(std::string_view text, int line, std::string file) : text_(text), line_(line), file_(std::move(file)) { advance(); }
    std::string_view peek() const { return token_; }  // empty at the end
    std::string_view next();
    bool accept(std::string_view token);
    void expect(std::string_view token);
    int line() const { return token_line_; }
    void skip_statement();                                             // to past the next ';'
    void skip_line();
    [[noreturn]] void fail(const std::string& what) const;

  private:
    void advance();
    std::string_view text_, token_;
    size_t at_ = 0;
    int line_, token_line_ = 0;
    std::string file_;
};

// A variable's declaration, from past its space: ".align 16 .b8 name[32] = {...};".
Variable parse_variable(Lexer& lexer, Space space);
// An integer or 0f.../0d... literal; false if it is none.
bool parse_number(std::string_view token, int64_t& value, bool& is_float);

}  // namespace ptx
