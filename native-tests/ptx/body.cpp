// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "text.h"

namespace ptx {

namespace {

// "%f<12>" declares %f0 to %f11.
struct Range {
    int first, count;
};

using Scope = std::unordered_map<std::string_view, Range>;

class Parser {
  public:
    Parser(const std::string& text, const std::string& file, const Kernel& kernel)
        : lexer_(std::string_view(text).substr(kernel.body, kernel.end - kernel.body), kernel.line, file) {}

    Body parse() {
        scopes_.emplace_back();
        while (!lexer_.peek().empty()) {
            statement();
        }
        return std::move(body_);
    }

  private:
    Lexer lexer_;
    Body body_;
    std::vector<Scope> scopes_;
    int location_ = -1;

    void statement() {
        const std::string_view token = lexer_.peek();
        if (token == "{") {
            lexer_.next();
            scopes_.emplace_back();
        } else if (token == "}") {
            lexer_.next();
            scopes_.pop_back();
            if (scopes_.empty()) {
                lexer_.fail("a } too many");
            }
        } else if (token == ";") {
            lexer_.next();
        } else if (token[0] == '.') {
            directive();
        } else {
            instruction();
        }
    }

    void directive() {
        const std::string_view name = lexer_.next();
        if (name == ".reg") {
            registers();
        } else if (name == ".loc") {
            locate();
        } else if (name == ".local" || name == ".shared" || name == ".const" || name == ".global") {
            body_.variables.push_back(parse_variable(lexer_, name == ".local"    ? Space::LOCAL
                                                             : name == ".shared" ? Space::SHARED
                                                             : name == ".const"  ? Space::CONST
                                                                                 : Space::GLOBAL));
        } else if (name == ".pragma") {
            lexer_.skip_statement();
        } else {
            lexer_.fail("an unknown directive: " + std::string(name));
        }
    }

    static Width width_of(const Lexer& lexer, std::string_view type) {
        if (type == ".pred") return Width::PREDICATE;
        if (type.ends_with("128")) return Width::BITS128;
        if (type.ends_with("64")) return Width::BITS64;
        if (type.ends_with("32") || type.ends_with("x2")) return Width::BITS32;
        if (type.ends_with("16") || type.ends_with("8")) return Width::BITS16;
        lexer.fail("registers of an unknown type: " + std::string(type));
    }

    void registers() {
        const Width width = width_of(lexer_, lexer_.next());
        do {
            const std::string_view name = lexer_.next();
            Range range{int(body_.registers.size()), 1};
            const bool several = lexer_.accept("<");
            if (several) {
                const std::string_view count = lexer_.next();
                std::from_chars(count.data(), count.data() + count.size(), range.count);
                lexer_.expect(">");
            }
            for (int i = 0; i < range.count; i++) {
                body_.registers.push_back(width);
                body_.register_names.push_back(std::string(name) + (several ? std::to_string(i) : ""));
            }
            // A name with a number of its own is told from a range's by the count.
            scopes_.back()[name] = several ? range : Range{range.first, -1};
        } while (lexer_.accept(","));
        lexer_.expect(";");
    }

    int find_register(std::string_view name) const {
        const size_t digits = name.find_last_not_of("0123456789") + 1;
        int number = -1;
        if (digits < name.size()) {
            std::from_chars(name.data() + digits, name.data() + name.size(), number);
        }
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
            if (const auto found = scope->find(name); found != scope->end() && found->second.count == -1) {
                return found->second.first;
            }
            if (number >= 0) {
                const auto found = scope->find(name.substr(0, digits));
                if (found != scope->end() && number < found->second.count) {
                    return found->second.first + number;
                }
            }
        }
        return -1;
    }

    int number() {
        int64_t value = 0;
        bool is_float;
        if (!parse_number(lexer_.peek(), value, is_float)) {
            lexer_.fail("expected a number, found " + std::string(lexer_.peek()));
        }
        lexer_.next();
        return int(value);
    }

    // .loc FILE LINE COLUMN [, function_name NAME [+ OFFSET], inlined_at FILE LINE COLUMN]
    void locate() {
        Location location;
        location.file = number();
        location.line = number();
        number();
        while (lexer_.accept(",")) {
            if (lexer_.accept("function_name")) {
                lexer_.next();
                if (lexer_.accept("+")) {
                    number();
                }
            } else {
                lexer_.expect("inlined_at");
                location.inlined_file = number();
                location.inlined_line = number();
                number();
            }
        }
        if (location.line == 0) {
            return;  // the code belongs to no line: keep the last one
        }
        location_ = int(body_.locations.size());
        body_.locations.push_back(location);
    }

    void instruction() {
        Statement statement;
        if (lexer_.accept("@")) {
            statement.guard_negated = lexer_.accept("!");
            statement.guard = find_register(lexer_.peek());
            if (statement.guard < 0) {
                lexer_.fail("an unknown predicate: " + std::string(lexer_.peek()));
            }
            lexer_.next();
        }
        statement.line = lexer_.line();
        statement.location = location_;
        statement.opcode = lexer_.next();
        if (statement.guard < 0 && lexer_.accept(":")) {
            body_.labels[statement.opcode] = body_.statements.size();
            return;
        }
        if (lexer_.peek() != ";") {
            do {
                statement.operands.push_back(operand());
            } while (lexer_.accept(","));
        }
        lexer_.expect(";");
        body_.statements.push_back(std::move(statement));
    }

    Operand operand() {
        Operand left = single();
        if (!lexer_.accept("|")) {
            return left;
        }
        Operand pair;
        pair.kind = Operand::PAIR;
        pair.parts.push_back(std::move(left));
        pair.parts.push_back(single());
        return pair;
    }

    Operand single() {
        Operand operand;
        if (lexer_.accept("{")) {
            operand.kind = Operand::VECTOR;
            do {
                operand.parts.push_back(single());
            } while (lexer_.accept(","));
            lexer_.expect("}");
            return operand;
        }
        if (lexer_.accept("[")) {
            operand = single();
            if (operand.kind == Operand::IMMEDIATE) {
                operand.name = "";
            } else if (lexer_.peek() == "+" || lexer_.peek() == "-") {
                const bool negative = lexer_.next() == "-";
                const bool twice = lexer_.accept("-");
                operand.value = number() * (negative != twice ? -1 : 1);
            }
            // The coordinates of a tensor copy.
            if (lexer_.accept(",")) operand.parts = single().parts;
            lexer_.expect("]");
            operand.kind = Operand::ADDRESS;
            return operand;
        }
        operand.negated = lexer_.accept("!");
        const std::string sign = lexer_.accept("-") ? "-" : "";
        const std::string_view token = lexer_.next();
        if (token == "_") {
            return operand;
        }
        if (parse_number(sign + std::string(token), operand.value, operand.is_float)) {
            operand.kind = Operand::IMMEDIATE;
            return operand;
        }
        operand.reg = find_register(token);
        operand.name = token;
        operand.kind = operand.reg >= 0         ? Operand::REGISTER
                       : token.starts_with("%") ? Operand::SPECIAL
                       : token.starts_with("$") ? Operand::LABEL
                                                : Operand::SYMBOL;
        return operand;
    }
};

}  // namespace

Body parse_body(const std::string& text, const std::string& file, const Kernel& kernel) {
    return Parser(text, file, kernel).parse();
}

}  // namespace ptx
