// SPDX-License-Identifier: Apache-2.0
#include "module.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "decode.h"
#include "text.h"

namespace ptx {

namespace {

class Index {
  public:
    Index(Module::State& state) : state_(state), lexer_(state.text, 1, state.file) {}

    void read() {
        while (!lexer_.peek().empty()) {
            directive();
        }
    }

  private:
    Module::State& state_;
    Lexer lexer_;

    void directive() {
        const std::string_view name = lexer_.peek();
        if (name == ".version" || name == ".target" || name == ".address_size") {
            lexer_.skip_line();
        } else if (name == ".visible" || name == ".weak") {
            lexer_.next();
        } else if (name == ".extern") {
            lexer_.next();
            external_ = true;
        } else if (name == ".file") {
            file();
        } else if (name == ".section") {
            lexer_.next();
            lexer_.next();
            skip_braces();
        } else if (name == ".shared" || name == ".const" || name == ".global") {
            lexer_.next();
            Variable variable = parse_variable(lexer_, name == ".shared" ? Space::SHARED
                                                       : name == ".const" ? Space::CONST
                                                                          : Space::GLOBAL);
            variable.external = external_;
            external_ = false;
            state_.variables.push_back(std::move(variable));
        } else if (name == ".entry") {
            entry();
        } else if (name == ".func") {
            lexer_.fail("functions are not supported: nvcc inlines those of Fovea's kernels");
        } else if (name == ".pragma") {
            lexer_.skip_statement();
        } else {
            lexer_.fail("an unknown directive: " + std::string(name));
        }
    }

    void file() {
        lexer_.next();
        const std::string_view number = lexer_.next();
        const std::string_view path = lexer_.next();
        int n = 0;
        std::from_chars(number.data(), number.data() + number.size(), n);
        state_.sources[n] = std::string(path.substr(1, path.size() - 2));
        while (lexer_.accept(",")) {
            lexer_.next();
        }
    }

    // To past the brace that closes the one that comes now. Gives the text between.
    std::pair<size_t, size_t> skip_braces() {
        if (lexer_.peek() != "{") {
            lexer_.expect("{");
        }
        const std::string& text = state_.text;
        const size_t begin = size_t(lexer_.peek().data() - text.data()) + 1;
        size_t at = begin;
        int line = lexer_.line();
        for (int depth = 1;; at++) {
            at = text.find_first_of("{}\n/\"", at);
            if (at == std::string::npos) {
                lexer_.fail("a { that is never closed");
            }
            const char c = text[at];
            line += c == '\n';
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth == 0) {
                break;
            }
            if (c == '/' && text[at + 1] == '/') {
                at = std::min(text.find('\n', at), text.size()) - 1;
            } else if (c == '"') {
                at = std::min(text.find('"', at + 1), text.size() - 1);
            }
        }
        lexer_ = Lexer(std::string_view(text).substr(at + 1), line, state_.file);
        return {begin, at};
    }

    void entry() {
        lexer_.next();
        Kernel kernel;
        kernel.name = lexer_.next();
        if (lexer_.accept("(")) {
            while (lexer_.accept(".param")) {
                parameter(kernel);
                lexer_.accept(",");
            }
            lexer_.expect(")");
        }
        while (lexer_.peek() != "{") {
            const std::string_view name = lexer_.next();
            if (name == ".maxntid" || name == ".reqntid") {
                kernel.max_threads = 1;
                do {
                    kernel.max_threads *= unsigned(std::stoul(std::string(lexer_.next())));
                } while (lexer_.accept(","));
            } else if (name.empty()) {
                lexer_.fail(kernel.name + " has no body");
            }
        }
        kernel.line = lexer_.line();
        std::tie(kernel.body, kernel.end) = skip_braces();
        state_.by_name[kernel.name] = state_.kernels.size();
        state_.kernels.push_back({std::move(kernel), std::make_unique<std::once_flag>(), nullptr});
    }

    void parameter(Kernel& kernel) {
        size_t align = 1, element = 1, count = 1;
        std::string_view token = lexer_.next();
        while (token.starts_with(".")) {
            if (token == ".align") {
                align = std::stoul(std::string(lexer_.next()));
            } else if (const size_t digits = token.find_first_of("0123456789"); digits != std::string_view::npos) {
                element = std::stoul(std::string(token.substr(digits))) / 8;
            }
            token = lexer_.next();
        }
        const std::string name(token);
        if (lexer_.accept("[")) {
            count = std::stoul(std::string(lexer_.next()));
            lexer_.expect("]");
        }
        align = std::max(align, element);
        const size_t offset = (kernel.parameter_bytes + align - 1) / align * align;
        kernel.parameters.push_back({name, offset, count * element});
        kernel.parameter_bytes = offset + count * element;
    }

    bool external_ = false;
};

}  // namespace

Module::Module() = default;
Module::~Module() = default;

std::shared_ptr<const Module> Module::parse(std::string text, std::string file) {
    std::shared_ptr<Module> module(new Module);
    module->state_ = std::make_unique<State>();
    State& state = *module->state_;
    state.text = std::move(text);
    state.file = std::move(file);
    Index(state).read();
    for (Variable& variable : state.variables) {
        if (variable.space == Space::GLOBAL || variable.space == Space::CONST) {
            variable.value.resize(variable.bytes);  // what is not initialised is zero
            const auto address = reinterpret_cast<uintptr_t>(variable.value.data());
            state.globals.allocate(address, variable.bytes);
            state.globals.written(address, variable.bytes);
        }
    }
    return module;
}

const Kernel* Module::find(const std::string& name) const {
    const auto found = state_->by_name.find(name);
    return found == state_->by_name.end() ? nullptr : &state_->kernels[found->second].kernel;
}

std::vector<std::string> Module::kernels() const {
    std::vector<std::string> names;
    for (const auto& entry : state_->kernels) names.push_back(entry.kernel.name);
    return names;
}

const std::string& Module::file() const { return state_->file; }

std::string Module::source(int number) const {
    const auto found = state_->sources.find(number);
    return found == state_->sources.end() ? "" : found->second;
}

const Program& Module::program(const Kernel& kernel) const {
    auto& entry = state_->kernels[state_->by_name.at(kernel.name)];
    std::call_once(*entry.once, [&] { entry.program = decode(*this, entry.kernel); });
    return *entry.program;
}

size_t Module::static_shared(const Kernel& kernel) const { return program(kernel).static_shared; }

}  // namespace ptx
