// SPDX-License-Identifier: Apache-2.0
// The globals by which tests steer the simulation; every module has them, whatever its image.
//   simulator_fault       char[128], written: "FUNCTION K CODE" makes the K-th call of FUNCTION from now return CODE,
//                         every call if K is 0; at first what FOVEA_SIMULATOR_FAULT says
//   simulator_trace       char[512], written: the path of a file that gets a line per call, "FUNCTION WHAT"; empty for none
//   simulator_profile     char[512], written: the path of a file that gets a line of JSON per launch from PTX, with what was
//                         counted; empty for none; at first what FOVEA_SIMULATOR_PROFILE says
//   simulator_error       char[512], read: what the simulator found, in words
//   simulator_kernels     char[16], written: "source" runs the kernels as g++ compiled them, "ptx" the image's PTX, from the
//                         next primary context on; at first what FOVEA_SIMULATOR says, or source
//   simulator_allocations int64, read: device and pinned allocations and graphs that are alive
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "../ptx/profile.h"
#include "driver.h"

namespace driver {

namespace {

char simulator_fault[128];
const bool has_first_fault = [] {
    const char* plan = getenv("FOVEA_SIMULATOR_FAULT");
    return plan && snprintf(simulator_fault, sizeof simulator_fault, "%s", plan) > 0;
}();
char simulator_kernels[16];
const bool has_kernels = [] {
    const char* word = getenv("FOVEA_SIMULATOR");
    return snprintf(simulator_kernels, sizeof simulator_kernels, "%s", word ? word : "source") > 0;
}();
char simulator_trace[512];
char simulator_profile[512];
const bool has_profile = [] {
    const char* path = getenv("FOVEA_SIMULATOR_PROFILE");
    return path && snprintf(simulator_profile, sizeof simulator_profile, "%s", path) > 0;
}();
char simulator_error[512];
int64_t simulator_allocations;
Result explained = SUCCESS;

const std::map<std::string, Global> globals = {
    {"simulator_fault", {simulator_fault, sizeof simulator_fault}},
    {"simulator_kernels", {simulator_kernels, sizeof simulator_kernels}},
    {"simulator_trace", {simulator_trace, sizeof simulator_trace}},
    {"simulator_profile", {simulator_profile, sizeof simulator_profile}},
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

Result report(Result result, const std::string& what) {
    snprintf(simulator_error, sizeof simulator_error, "%s", what.c_str());
    return explained = result;
}

const char* explanation(Result result) { return result != SUCCESS && result == explained ? simulator_error : nullptr; }

void explain_no_more() { explained = SUCCESS; }

ptx::Profile* profile() {
    static std::string path;
    static std::unique_ptr<ptx::Profile> profile;
    if (path != simulator_profile) {
        path = simulator_profile;
        profile = path.empty() ? nullptr : std::make_unique<ptx::Profile>(path);
    }
    return profile.get();
}

std::optional<bool> wants_ptx() {
    const std::string word = simulator_kernels;
    return word == "ptx" ? std::optional(true) : word == "source" ? std::optional(false) : std::nullopt;
}

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
