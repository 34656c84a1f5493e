// SPDX-License-Identifier: Apache-2.0
// The globals by which tests steer the simulation; every module has them, whatever its image.
//   simulator_fault       char[128], written: "FUNCTION K CODE" makes the K-th call of FUNCTION from now return CODE,
//                         every call if K is 0; at first what FOVEA_SIMULATOR_FAULT says
//   simulator_trace       char[512], written: the path of a file that gets a line per call, "FUNCTION WHAT"; empty for none
//   simulator_error       char[512], read: what the simulator found, in words
//   simulator_allocations int64, read: device and pinned allocations and graphs that are alive
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "driver.h"

namespace driver {

namespace {

char simulator_fault[128];
const bool has_first_fault = [] {
    const char* plan = getenv("FOVEA_SIMULATOR_FAULT");
    return plan && snprintf(simulator_fault, sizeof simulator_fault, "%s", plan) > 0;
}();
char simulator_trace[512];
char simulator_error[512];
int64_t simulator_allocations;

const std::map<std::string, Global> globals = {
    {"simulator_fault", {simulator_fault, sizeof simulator_fault}},
    {"simulator_trace", {simulator_trace, sizeof simulator_trace}},
    {"simulator_error", {simulator_error, sizeof simulator_error}},
    {"simulator_allocations", {&simulator_allocations, sizeof simulator_allocations}},
};

void trace(const char* function, const std::string& what) {
    static std::string path;
    static std::ofstream file;
    if (path != simulator_trace) {
        path = simulator_trace;
        file.close();
        file.clear();
        file.open(path, std::ios::trunc);
    }
    file << function << ' ' << what << std::endl;
}

}  // namespace

const Global* find_global(const std::string& name) {
    const auto found = globals.find(name);
    return found == globals.end() ? nullptr : &found->second;
}

bool is_global(Pointer address) {
    return std::any_of(globals.begin(), globals.end(), [=](const auto& g) { return g.second.address == host(address); });
}

void count_allocations() { simulator_allocations = int64_t(device.count() + pinned.count() + live_graphs()); }

void report(const std::string& what) { snprintf(simulator_error, sizeof simulator_error, "%s", what.c_str()); }

const char* reported() { return simulator_error; }

Result planned(const char* function, const std::string& what) {
    if (simulator_trace[0]) {
        trace(function, what);
    }
    char name[64];
    int after, code;
    if (!simulator_fault[0] || sscanf(simulator_fault, "%63s %d %d", name, &after, &code) != 3
        || strcmp(name, function) != 0) {
        return SUCCESS;
    }
    if (after > 1) {
        snprintf(simulator_fault, sizeof simulator_fault, "%s %d %d", name, after - 1, code);
        return SUCCESS;
    }
    if (after == 1) {
        simulator_fault[0] = 0;
    }
    if (code >= ILLEGAL_ADDRESS && code < NOT_PERMITTED) {
        sticky = Result(code);
    }
    return Result(code);
}

}  // namespace driver
