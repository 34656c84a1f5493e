// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return out + "\"";
}

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    char text[512];
    snprintf(text, sizeof text, pattern, arguments...);
    return text;
}

bool is_number(const std::string& text) {
    char* end = nullptr;
    const double value = strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && std::isfinite(value);
}

std::string shape_text(const Workload& workload, const char* separator) {
    std::string text;
    for (int64_t extent : workload.shape) {
        text += (text.empty() ? "" : separator) + std::to_string(extent);
    }
    return text;
}

}  // namespace

std::string Report::json() const {
    std::string out = "{\n  \"card\": " + quoted(card) + ",\n  \"architecture\": " + quoted(architecture)
                      + ",\n  \"driver_cuda\": " + quoted(driver) + ",\n  \"date\": " + quoted(date);
    if (!rows.empty()) {
        out += format(",\n  \"bytes_per_second\": %.4g,\n  \"bf16_flops_per_second\": %.4g,\n"
                      "  \"tf32_flops_per_second\": %.4g",
                      bandwidth, bf16, tf32);
    }
    out += ",\n  \"checks\": {";
    bool first = true;
    for (const auto& [name, outcome] : checks) {
        out += (first ? "\n    " : ",\n    ") + quoted(name) + ": " + quoted(outcome);
        first = false;
    }
    out += "\n  },\n  \"java\": [";
    first = true;
    for (const Measurement& measurement : java) {
        out += (first ? "\n    {" : ",\n    {") + ("\"name\": " + quoted(measurement.name));
        for (const auto& [name, value] : measurement.values) {
            out += ", " + quoted(name) + ": " + (is_number(value) ? value : quoted(value));
        }
        out += "}";
        first = false;
    }
    out += "\n  ],\n  \"rows\": [";
    first = true;
    for (const Row& row : rows) {
        out += (first ? "\n    {" : ",\n    {") + ("\"operation\": " + quoted(row.workload.operation)) + ", \"type\": "
               + quoted(row.workload.type) + ", \"shape\": [" + shape_text(row.workload, ", ") + "], \"kernel\": "
               + (row.kernel.empty() ? "null" : quoted(row.kernel));
        if (row.seconds > 0) {
            out += format(", \"seconds\": %.6g, \"flops_per_second\": %.4g, \"bytes_per_second\": %.4g, \"floor_seconds\": %.6g, "
                          "\"times_floor\": %.3f",
                          row.seconds, row.workload.flops / row.seconds, row.workload.bytes / row.seconds, row.floor,
                          row.seconds / row.floor);
        }
        if (row.peer_seconds > 0) {
            out += ", \"pytorch\": " + quoted(row.peer) + format(", \"pytorch_seconds\": %.6g", row.peer_seconds);
            if (row.seconds > 0) {
                out += format(", \"times_faster\": %.3f", row.peer_seconds / row.seconds);
            }
        }
        out += (row.note.empty() ? "" : ", \"note\": " + quoted(row.note)) + "}";
        first = false;
    }
    return out + "\n  ]\n}\n";
}

std::string Report::table() const {
    std::string out = card + " (" + architecture + "), driver for CUDA " + driver + ", " + date + "\n";
    if (!rows.empty()) {
        out += format("measured here: copy %.0f GB/s, mma bf16 %.0f TFLOP/s, TF32 %.0f TFLOP/s\n", bandwidth / 1e9, bf16 / 1e12,
                      tf32 / 1e12);
    }
    out += "\n";
    for (const auto& [name, outcome] : checks) {
        out += format("%-44s %s\n", name.c_str(), outcome.c_str());
    }
    if (!java.empty()) {
        out += "\n";
    }
    for (const Measurement& measurement : java) {
        out += format("%-44s", measurement.name.c_str());
        for (const auto& [name, value] : measurement.values) {
            out += " " + name + " " + value;
        }
        out += "\n";
    }
    if (rows.empty()) {
        return out;
    }
    out += format("\n%-26s %-5s %-19s %10s %9s %8s %10s %8s  %s\n", "operation", "type", "shape", "ms", "TFLOP/s", "x floor",
                  "PyTorch ms", "x faster", "kernel; PyTorch's fastest");
    for (const Row& row : rows) {
        const auto number = [](bool there, const char* pattern, double value) {
            return there ? format(pattern, value) : std::string("-");
        };
        const bool own = row.seconds > 0, peer = row.peer_seconds > 0;
        out += format("%-26s %-5s %-19s %10s %9s %8s %10s %8s  %s%s%s\n", row.workload.operation.c_str(),
                      row.workload.type.c_str(), ("(" + shape_text(row.workload, ",") + ")").c_str(),
                      number(own, "%.4f", row.seconds * 1e3).c_str(),
                      number(own, "%.1f", row.workload.flops / row.seconds / 1e12).c_str(),
                      number(own, "%.2f", row.seconds / row.floor).c_str(),
                      number(peer, "%.4f", row.peer_seconds * 1e3).c_str(),
                      number(own && peer, "%.2f", row.peer_seconds / row.seconds).c_str(),
                      own ? row.kernel.c_str() : row.note.c_str(), peer ? "; " : "", row.peer.c_str());
    }
    return out;
}
