// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstring>

#include "text.h"

namespace ptx {

namespace {

bool is_word(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; }

int bytes_of(std::string_view type) {
    const size_t digits = type.find_first_of("0123456789");
    int bits = 0;
    if (digits != std::string_view::npos) {
        std::from_chars(type.data() + digits, type.data() + type.size(), bits);
    }
    return bits / 8;
}

}  // namespace

void Lexer::fail(const std::string& what) const { throw Error(file_ + ":" + std::to_string(token_line_) + ": " + what); }

void Lexer::advance() {
    for (;;) {
        while (at_ < text_.size() && isspace(static_cast<unsigned char>(text_[at_]))) {
            line_ += text_[at_++] == '\n';
        }
        if (text_.compare(at_, 2, "//") == 0) {
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (text_.compare(at_, 2, "/*") == 0) {
            const size_t end = std::min(text_.find("*/", at_ + 2), text_.size() - 2);
            line_ += int(std::count(text_.begin() + at_, text_.begin() + end, '\n'));
            at_ = end + 2;
        } else {
            break;
        }
    }
    token_line_ = line_;
    size_t end = at_;
    if (at_ < text_.size() && text_[at_] == '"') {
        end = std::min(text_.find('"', at_ + 1), text_.size() - 1) + 1;
    } else if (at_ < text_.size() && is_word(text_[at_])) {
        while (end < text_.size() && is_word(text_[end])) {
            end++;
            // A scope in an opcode: .shared::cta
            if (text_.compare(end, 2, "::") == 0) {
                end += 2;
            }
        }
    } else if (at_ < text_.size()) {
        end++;
    }
    token_ = text_.substr(at_, end - at_);
    at_ = end;
}

std::string_view Lexer::next() {
    const std::string_view token = token_;
    advance();
    return token;
}

bool Lexer::accept(std::string_view token) {
    if (token_ != token) {
        return false;
    }
    advance();
    return true;
}

void Lexer::expect(std::string_view token) {
    if (!accept(token)) {
        fail("expected " + std::string(token) + ", found " + (token_.empty() ? "the end" : std::string(token_)));
    }
}

void Lexer::skip_statement() {
    while (!token_.empty() && token_ != ";") {
        advance();
    }
    accept(";");
}

void Lexer::skip_line() {
    const int line = token_line_;
    while (!token_.empty() && token_line_ == line) {
        advance();
    }
}

bool parse_number(std::string_view token, int64_t& value, bool& is_float) {
    const bool negative = !token.empty() && token[0] == '-';
    std::string_view digits = token.substr(negative);
    if (digits.empty() || !isdigit(static_cast<unsigned char>(digits[0]))) {
        return false;
    }
    int base = 10;
    is_float = false;
    if (digits.size() > 1 && digits[0] == '0' && strchr("xXfFdDbB", digits[1])) {
        const char kind = char(tolower(digits[1]));
        is_float = kind == 'f' || kind == 'd';
        base = kind == 'b' ? 2 : 16;
        digits.remove_prefix(2);
    } else if (digits.size() > 1 && digits[0] == '0') {
        base = 8;
    }
    if (digits.size() > 1 && digits.back() == 'U') {
        digits.remove_suffix(1);
    }
    uint64_t magnitude = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        return false;
    }
    value = int64_t(negative ? 0 - magnitude : magnitude);
    return true;
}

Variable parse_variable(Lexer& lexer, Space space) {
    Variable variable{};
    variable.space = space;
    variable.align = 0;
    size_t element = 0;
    std::string_view token = lexer.next();
    while (!token.empty() && token[0] == '.') {
        if (token == ".align") {
            int64_t align = 0;
            bool is_float;
            parse_number(lexer.next(), align, is_float);
            variable.align = size_t(align);
        } else {
            element = std::max<size_t>(element, bytes_of(token));
        }
        token = lexer.next();
    }
    variable.name = token;
    if (element == 0 || token.empty()) {
        lexer.fail("a declaration that is not understood, of " + variable.name);
    }
    variable.align = std::max(variable.align, element);
    int64_t count = 1;
    while (lexer.accept("[")) {
        int64_t extent = 0;
        bool is_float;
        if (lexer.peek() != "]") {
            parse_number(lexer.next(), extent, is_float);
        }
        count *= extent;
        lexer.expect("]");
    }
    variable.bytes = size_t(count) * element;
    if (lexer.accept("=")) {
        const bool several = lexer.accept("{");
        do {
            const std::string sign = lexer.accept("-") ? "-" : "";
            int64_t value = 0;
            bool is_float;
            if (!parse_number(sign + std::string(lexer.peek()), value, is_float)) {
                lexer.fail("an initial value that is not a number: " + std::string(lexer.peek()));
            }
            lexer.next();
            const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
            variable.value.insert(variable.value.end(), bytes, bytes + element);
        } while (several && lexer.accept(","));
        if (several) {
            lexer.expect("}");
        }
        variable.value.resize(variable.bytes);
    }
    lexer.expect(";");
    return variable;
}

}  // namespace ptx
