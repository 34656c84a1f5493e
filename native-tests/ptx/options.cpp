// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "machine.h"
#include "semantics/mma.h"

namespace ptx {

namespace {

std::string variable(const char* name) {
    const char* const value = getenv((std::string("FOVEA_SIMULATOR_") + name).c_str());
    return value ? value : "";
}

[[noreturn]] void refuse(const char* name, const std::string& value, const std::string& wanted) {
    throw Error(std::string("FOVEA_SIMULATOR_") + name + " is " + value + ", and must be " + wanted);
}

uint64_t number(const char* name, uint64_t otherwise) {
    const std::string value = variable(name);
    if (value.empty()) return otherwise;
    size_t end = 0;
    uint64_t result = 0;
    try {
        result = std::stoull(value, &end);
    } catch (const std::exception&) {
        end = 0;
    }
    if (end != value.size()) refuse(name, value, "a number");
    return result;
}

template <class T>
T one_of(const char* name, const std::vector<std::pair<std::string, T>>& choices, T otherwise) {
    const std::string value = variable(name);
    if (value.empty()) return otherwise;
    std::string wanted;
    for (const auto& [text, choice] : choices) {
        if (text == value) return choice;
        wanted += (wanted.empty() ? "" : ", ") + text;
    }
    refuse(name, value, "one of " + wanted);
}

}  // namespace

Options Options::from_environment() {
    Options options;
    options.seed = number("SEED", options.seed);
    options.threads = int(number("THREADS", 0));
    options.order = one_of<Order>("ORDER", {{"forward", Order::FORWARD}, {"backward", Order::BACKWARD},
        {"shuffled", Order::SHUFFLED}}, options.order);
    options.landing = one_of<Landing>("LANDING", {{"random", Landing::RANDOM}, {"early", Landing::EARLY},
                                                  {"late", Landing::LATE}}, options.landing);
    options.tensor_sums = one_of<Sums>("TENSOR_SUMS", {{"exact", Sums::EXACT}, {"ampere", Sums::AMPERE},
                                                       {"hopper", Sums::HOPPER}}, options.tensor_sums);
    enum Checks { NONE, RACES, UNWRITTEN, WARP_ORDER, ALL, USUAL };
    const Checks checks = one_of<Checks>("CHECKS", {{"all", ALL}, {"none", NONE}, {"races", RACES}, {"unwritten", UNWRITTEN},
                                                    {"warp_order", WARP_ORDER}}, USUAL);
    options.races = checks == ALL || checks == USUAL || checks == RACES;
    options.unwritten = checks == ALL || checks == USUAL || checks == UNWRITTEN;
    options.warp_order = checks == ALL || checks == WARP_ORDER;
    return options;
}

}  // namespace ptx
