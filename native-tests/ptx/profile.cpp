// SPDX-License-Identifier: Apache-2.0
#include "profile.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace ptx {

namespace {

// Members of an object, one by one.
class Members {
  public:
    explicit Members(std::string& text) : text_(text) { text_ += '{'; }
    ~Members() { text_ += '}'; }
    std::string& member(const std::string& name) {
        if (text_.back() != '{') text_ += ',';
        text_ += quoted(name) + ":";
        return text_;
    }
    void number(const std::string& name, uint64_t value) { member(name) += std::to_string(value); }
    void text(const std::string& name, const std::string& value) { member(name) += quoted(value); }

  private:
    static std::string quoted(const std::string& text) {
        std::string result = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') result += '\\';
            result += c;
        }
        return result + "\"";
    }
    std::string& text_;
};

void extents(Members& all, const std::string& name, Dim3 extent) {
    all.member(name) += "[" + std::to_string(extent.x) + "," + std::to_string(extent.y) + "," + std::to_string(extent.z) + "]";
}

void numbers(Members& all, const std::string& name, const std::map<std::string, uint64_t>& values) {
    Members part(all.member(name));
    for (const auto& [key, value] : values) part.number(key, value);
}

void memory(Members& all, const std::string& name, const std::string& pieces,
            const std::array<Requests, TRAFFICS>& by_traffic) {
    Members part(all.member(name));
    for (size_t i = 0; i < TRAFFICS; i++) {
        const Requests& requests = by_traffic[i];
        if (requests.requests == 0) continue;
        Members one(part.member(name_of(Traffic(i))));
        one.number("requests", requests.requests);
        one.number("bytes", requests.bytes);
        one.number(pieces, requests.pieces);
        one.number("least", requests.least);
    }
}

void lines_of(Members& all, const Counters& counters, size_t most) {
    std::vector<std::pair<std::string, Counters::Line>> lines(counters.lines.begin(), counters.lines.end());
    std::stable_sort(lines.begin(), lines.end(),
        [](const auto& a, const auto& b) { return a.second.instructions > b.second.instructions; });
    lines.resize(std::min(lines.size(), most));
    Members part(all.member("lines"));
    for (const auto& [place, line] : lines) {
        Members one(part.member(place));
        one.number("instructions", line.instructions);
        one.number("pieces", line.pieces);
        one.number("least", line.least);
    }
}

}  // namespace

std::string json_of(const std::string& kernel, Dim3 grid, Dim3 block, size_t shared_bytes, const Counters& counters,
    size_t lines) {
    std::string text;
    {
        Members all(text);
        all.text("kernel", kernel);
        extents(all, "grid", grid);
        extents(all, "block", block);
        all.number("shared_bytes", shared_bytes);
        all.number("warps", counters.warps);
        numbers(all, "instructions", counters.instructions);
        all.number("lane_instructions", counters.lane_instructions);
        all.number("issue_slots", counters.issue_slots);
        all.number("operations", counters.operations);
        numbers(all, "multiply_adds", counters.multiply_adds);
        memory(all, "shared", "wavefronts", counters.shared);
        memory(all, "global", "sectors", counters.global);
        all.number("local_bytes", counters.local_bytes);
        all.number("read_bytes", counters.read_bytes);
        all.number("written_bytes", counters.written_bytes);
        all.number("branches", counters.branches);
        all.number("divergent_branches", counters.divergent_branches);
        all.number("barriers", counters.barriers);
        if (lines > 0) lines_of(all, counters, lines);
    }
    return text;
}

Profile::Profile(const std::string& path) : file_(fopen(path.c_str(), "w")) {
    if (!file_) throw Error("the profile, " + path + ", can't be written: " + strerror(errno));
    const char* const lines = getenv("FOVEA_SIMULATOR_PROFILE_LINES");
    lines_ = lines ? strtoul(lines, nullptr, 10) : 0;
}

void Profile::add(const std::string& kernel, Dim3 grid, Dim3 block, size_t shared_bytes, const Counters& counters) {
    const std::string line = json_of(kernel, grid, block, shared_bytes, counters, lines_) + "\n";
    const std::lock_guard lock(mutex_);
    fputs(line.c_str(), file_.get());
    fflush(file_.get());
}

}  // namespace ptx
