// SPDX-License-Identifier: Apache-2.0
// The results as JSON and as a table to read.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "workloads.h"

struct Row {
    Workload workload;
    std::string kernel;    // the fastest candidate; empty if there is none
    double seconds = 0;
    double floor = 0;      // max(bytes / bandwidth, flops / rate of the unit)
    std::string peer;      // the fastest of PyTorch's; empty if not measured
    double peer_seconds = 0;
    std::string note;
};

// A measurement of the Java half: a name, and numbers by name.
struct Measurement {
    std::string name;
    std::vector<std::pair<std::string, std::string>> values;
};

struct Report {
    std::string card, architecture, driver, date;
    double bandwidth = 0, bf16 = 0, tf32 = 0;        // bytes and flops per second
    std::map<std::string, std::string> checks;       // what was checked and how it came out
    std::vector<Measurement> java;
    std::vector<Row> rows;                           // without any the card was not measured either

    std::string json() const;
    std::string table() const;
};
