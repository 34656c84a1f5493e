// SPDX-License-Identifier: Apache-2.0
// Times the kernels on the card and writes the results beside PyTorch's.
//
//   bench --device                          says which card this is: architecture, name
//   bench --list                            names the workloads, for torch_bench.py
//   bench --report IN OUT [--tiny|--no-kernels]
//
// IN/checks.txt  lines "NAME<tab>OUTCOME", put into the report
// IN/java.txt    lines "NAME<tab>KEY=VALUE<tab>...", put there too
// IN/torch.txt   lines "KEY<tab>SECONDS<tab>VARIANT" of torch_bench.py
// OUT            gets report.json and report.txt
// --tiny         sizes that the simulator can take, each once
// --no-kernels   times nothing: the report of what the others found
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <random>
#include <sstream>

#include "peak.h"
#include "report.h"

namespace {

constexpr size_t ROTATE_BYTES = size_t(256) << 20;  // arrays in turn until this much was touched, so none stays in a cache
constexpr double SECONDS_PER_CANDIDATE = 0.25;
constexpr int LAUNCHES_MIN = 5, LAUNCHES_MAX = 100;

std::vector<std::vector<std::string>> lines(const std::string& path) {
    std::vector<std::vector<std::string>> all;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::vector<std::string>& fields = all.emplace_back();
        std::istringstream text(line);
        for (std::string field; std::getline(text, field, '\t');) {
            fields.push_back(field);
        }
    }
    return all;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

class Bench {
  public:
    explicit Bench(bool tiny) : tiny_(tiny) {}

    // The median time of what `work` queues, in rounds.
    template <class Work>
    double time(Work work) {
        std::vector<double> seconds;
        double total = 0;
        work(0);
        for (int round = 0; round < LAUNCHES_MAX && (round < LAUNCHES_MIN || total < SECONDS_PER_CANDIDATE); round++) {
            card_.record(from_);
            work(round);
            card_.record(to_);
            seconds.push_back(card_.seconds(from_, to_));
            total += seconds.back();
            if (tiny_) {
                break;
            }
        }
        return median(seconds);
    }

    double bandwidth() {
        const size_t bytes = tiny_ ? 1 << 16 : std::min(size_t(1) << 30, card_.memory() / 8);
        const uintptr_t source = card_.allocate(bytes), target = card_.allocate(bytes);
        const double seconds = time([&](int) { card_.copy_within(target, source, bytes); });
        card_.free(source);
        card_.free(target);
        return 2 * double(bytes) / seconds;
    }

    // Flops per second of one of the kernels in peak.cu, whose step is a product of 16 x 8 x depth.
    double peak(const char* kernel, int depth) {
        constexpr int CHAINS = 8, WARPS = 8;
        const unsigned blocks = tiny_ ? 1 : unsigned(card_.multiprocessors()) * 4;
        const uintptr_t out = card_.allocate(blocks * WARPS * 32 * sizeof(float));
        const PeakParams params{reinterpret_cast<float*>(out), tiny_ ? 2 : 20000};
        const double seconds = time([&](int) { must(card_.launch(kernel, blocks, WARPS * 32, 0, &params)); });
        card_.free(out);
        return 2.0 * 16 * 8 * depth * CHAINS * WARPS * blocks * params.rounds / seconds;
    }

    Row measure(const Workload& workload, const Report& report) {
        Row row{workload, {}, 0, 0, {}, 0, {}};
        const double rate = workload.unit == Unit::BF16 ? report.bf16 : report.tf32 / (workload.unit == Unit::TF32 ? 1 : 3);
        row.floor = std::max(workload.bytes / report.bandwidth, workload.flops / rate);

        size_t bytes = 0;
        for (size_t size : workload.buffers) bytes += size;
        const size_t sets = tiny_ ? 1 : std::clamp<size_t>(ROTATE_BYTES / bytes, 1, 16);
        std::vector<std::vector<uintptr_t>> arrays(sets);
        std::vector<uintptr_t> all;
        for (std::vector<uintptr_t>& set : arrays) {
            for (size_t size : workload.buffers) {
                const uintptr_t array = row.note.empty() ? card_.allocate(size) : 0;
                if (array == 0) {
                    row.note = "not enough device memory";
                    continue;
                }
                randomise(array, size, workload.type);
                all.push_back(array);
                set.push_back(array);
            }
        }
        if (row.note.empty()) {
            std::vector<std::vector<Candidate>> candidates;
            for (const std::vector<uintptr_t>& set : arrays) candidates.push_back(workload.candidates(card_, set));
            for (size_t c = 0; c < candidates[0].size(); c++) {
                const double seconds = time([&](int round) {
                    for (const Launch& launch : candidates[size_t(round) % sets][c].launches) {
                        must(card_.launch(launch.kernel, launch.blocks, launch.threads, launch.shared, launch.params.data()));
                    }
                });
                if (row.seconds == 0 || seconds < row.seconds) {
                    row.seconds = seconds;
                    row.kernel = candidates[0][c].name;
                }
            }
            if (candidates[0].empty()) row.note = "no kernel";
        }
        for (uintptr_t array : all) {
            card_.free(array);
        }
        return row;
    }

  private:
    static void must(const std::string& error) {
        if (!error.empty()) {
            fprintf(stderr, "gpu-check: %s\n", error.c_str());
            exit(1);
        }
    }

    // Normal numbers of the type, a block of them over and over.
    void randomise(uintptr_t array, size_t bytes, const std::string& type) {
        constexpr size_t BLOCK = 1 << 22;
        std::vector<char>& block = random_[type];
        if (block.empty()) {
            std::mt19937 random(1);
            std::normal_distribution<float> normal;
            const size_t size = type == "bf16" ? 2 : 4;
            block.resize(BLOCK);
            for (size_t at = 0; at < BLOCK; at += size) {
                const float value = normal(random);
                memcpy(&block[at], reinterpret_cast<const char*>(&value) + 4 - size, size);  // bf16 is the upper half
            }
        }
        for (size_t done = 0; done < bytes;) {
            const size_t part = done == 0 ? std::min(BLOCK, bytes) : std::min(done, bytes - done);
            if (done == 0) {
                card_.copy_to(array, block.data(), part);
            } else {
                card_.copy_within(array + done, array, part);
            }
            done += part;
        }
    }

    bool tiny_;
    Card& card_ = Card::get();
    void* from_ = card_.event();
    void* to_ = card_.event();
    std::map<std::string, std::vector<char>> random_;
};

void write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) {
        fprintf(stderr, "gpu-check: could not write %s\n", path.c_str());
        exit(1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "--device") == 0) {
        printf("%s %s\n", Card::get().architecture().c_str(), Card::get().name().c_str());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const Workload& workload : workloads(false)) {
            printf("%s\n", workload.key().c_str());
        }
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "--report") != 0) {
        fprintf(stderr, "usage: bench --device | bench --list | bench --report IN OUT [--tiny|--no-kernels]\n");
        return 2;
    }
    const std::string in = argv[2], out = argv[3], option = argc > 4 ? argv[4] : "";
    Card& card = Card::get();
    Report report;
    report.card = card.name();
    report.architecture = card.architecture();
    report.driver = card.driver();
    const time_t now = time(nullptr);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    report.date = date;
    for (const auto& fields : lines(in + "/checks.txt")) {
        if (fields.size() == 2) report.checks[fields[0]] = fields[1];
    }
    for (const auto& fields : lines(in + "/java.txt")) {
        Measurement& measurement = report.java.emplace_back();
        measurement.name = fields[0];
        for (size_t i = 1; i < fields.size(); i++) {
            const size_t equals = fields[i].find('=');
            measurement.values.emplace_back(fields[i].substr(0, equals), fields[i].substr(equals + 1));
        }
    }
    const auto save = [&] {
        write(out + "/report.json", report.json());
        write(out + "/report.txt", report.table());
    };
    save();
    if (option != "--no-kernels") {
        Bench bench(option == "--tiny");
        report.bandwidth = bench.bandwidth();
        report.bf16 = bench.peak("peak_bf16", 16);
        report.tf32 = bench.peak("peak_tf32", 8);
        const auto peers = lines(in + "/torch.txt");
        for (const Workload& workload : workloads(option == "--tiny")) {
            Row row = bench.measure(workload, report);
            for (const auto& fields : peers) {
                const double seconds = fields.size() == 3 && fields[0] == workload.key() ? atof(fields[1].c_str()) : 0;
                if (seconds > 0 && (row.peer_seconds == 0 || seconds < row.peer_seconds)) {
                    row.peer_seconds = seconds;
                    row.peer = fields[2];
                }
            }
            report.rows.push_back(row);
            save();  // after each, so that a run that is cut short has what it came to
        }
    }
    fputs(report.table().c_str(), stdout);
    return 0;
}
