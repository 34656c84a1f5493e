// SPDX-License-Identifier: Apache-2.0
// libnccl.so.2 over the simulated driver: the NCCL calls that Fovea makes, between processes of one machine that share memory.
//
// A collective runs on its stream as kernels do: it is late where nothing waits for it, can be captured, and waits for the other
// ranks when it runs, however long that takes; ncclCommAbort from another thread ends the wait. Each chunk is summed in the order of a
// ring, which begins at another rank from chunk to chunk. Stricter than the real library: memory that is none of the device's is
// refused, a process has one rank of a communicator, and the first collective may not be in a capture, since connections are made then.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "exports.h"

#define API extern "C" __attribute__((visibility("default")))

namespace {

enum Status {
    OK = 0,
    UNHANDLED_CUDA_ERROR = 1,
    SYSTEM_ERROR = 2,
    INVALID_ARGUMENT = 4,
    INVALID_USAGE = 5,
    REMOTE_ERROR = 6,
};
enum DataType { FLOAT32 = 7 };
enum ReductionOperation { SUM = 0 };

constexpr int VERSION = 22304;
constexpr int MOST_RANKS = 16;
constexpr size_t CHUNK = 1 << 16;  // floats
constexpr int INIT_SECONDS = 20;   // where the real library waits longer

struct UniqueId {
    char internal[128];
};

// What the ranks share. A new file is zeros.
struct Meeting {
    std::atomic<int> process[MOST_RANKS];
    std::atomic<int> ranks;
    std::atomic<uint64_t> arrivals;
    float data[MOST_RANKS][CHUNK];
};

struct Communicator {
    Meeting* meeting;
    int rank, size;
    uint64_t barriers = 0;
    bool connected = false;
    std::atomic<bool> aborted{false};
};

struct Collective {
    Communicator* communicator;
    const float* from;
    float* to;
    size_t count;
    int root;  // -1 for a sum
};

bool is_gone(int process) { return process > 0 && kill(process, 0) != 0; }

void pause_briefly() { usleep(20); }

// Whether all ranks came; false if the communicator was aborted meanwhile.
bool meet(Communicator& c) {
    c.barriers++;
    c.meeting->arrivals++;
    const uint64_t expected = c.barriers * uint64_t(c.size);
    for (int spins = 0; c.meeting->arrivals < expected; spins++) {
        if (c.aborted) return false;
        if (spins > 1000) pause_briefly();
    }
    return true;
}

void exchange(const void* arguments) {
    const Collective& work = *static_cast<const Collective*>(arguments);
    Communicator& c = *work.communicator;
    Meeting& m = *c.meeting;
    for (size_t begin = 0, chunk = 0; begin < work.count; begin += CHUNK, chunk++) {
        const size_t length = std::min(CHUNK, work.count - begin);
        if (work.root < 0 || work.root == c.rank) memcpy(m.data[c.rank], work.from + begin, length * sizeof(float));
        if (!meet(c)) return;
        if (work.root >= 0) {
            memcpy(work.to + begin, m.data[work.root], length * sizeof(float));
        } else {
            for (size_t i = 0; i < length; i++) {
                float sum = m.data[chunk % c.size][i];
                for (int step = 1; step < c.size; step++) sum += m.data[(chunk + step) % c.size][i];
                work.to[begin + i] = sum;
            }
        }
        // Nobody writes the next chunk before all have read this one.
        if (!meet(c)) return;
    }
    simulator_written(work.to, work.count * sizeof(float));
}

Status enqueue(Communicator* c, const float* from, float* to, size_t count, DataType type, int root, void* stream) {
    const bool reads = root < 0 || root == c->rank;
    if (type != FLOAT32 || root >= c->size || !simulator_is_allocated(uintptr_t(to), count * sizeof(float))
        || (reads && !simulator_is_allocated(uintptr_t(from), count * sizeof(float)))) {
        return INVALID_ARGUMENT;
    }
    if (c->aborted) return INVALID_USAGE;
    if (!c->connected) {
        if (simulator_refuse_while_capturing(stream) != Result::SUCCESS) return UNHANDLED_CUDA_ERROR;
        c->connected = true;
    }
    const Collective work{c, from, to, count, root};
    return simulator_enqueue(stream, "NCCL", exchange, &work, sizeof work) == Result::SUCCESS ? OK : UNHANDLED_CUDA_ERROR;
}

}  // namespace

#define BEGIN_CALL() \
    if (const int fault = simulator_planned(__func__)) return fault < 100 ? Status(fault) : UNHANDLED_CUDA_ERROR

API Status ncclGetVersion(int* version) {
    BEGIN_CALL();
    *version = VERSION;
    return OK;
}

API Status ncclGetUniqueId(UniqueId* id) {
    BEGIN_CALL();
    static std::atomic<int> count;
    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "/fovea-nccl-%d-%d", int(getpid()), count++);
    const int file = shm_open(id->internal, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (file < 0) return SYSTEM_ERROR;
    const bool sized = ftruncate(file, sizeof(Meeting)) == 0;
    close(file);
    return sized ? OK : SYSTEM_ERROR;
}

// Waits for all ranks.
API Status ncclCommInitRank(Communicator** communicator, int size, UniqueId id, int rank) {
    BEGIN_CALL();
    if (size < 1 || size > MOST_RANKS || rank < 0 || rank >= size) return INVALID_ARGUMENT;
    const int file = shm_open(id.internal, O_RDWR, 0600);
    if (file < 0) return INVALID_ARGUMENT;
    void* memory = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return SYSTEM_ERROR;
    Meeting* meeting = static_cast<Meeting*>(memory);
    int nobody = 0, any = 0;
    meeting->ranks.compare_exchange_strong(any, size);
    const bool mine = std::none_of(meeting->process, meeting->process + size, [](int other) { return other == getpid(); });
    if (!mine || meeting->ranks != size || !meeting->process[rank].compare_exchange_strong(nobody, getpid())) {
        munmap(memory, sizeof(Meeting));
        return INVALID_USAGE;
    }
    for (int waits = 0; std::count(meeting->process, meeting->process + size, 0) > 0; waits++) {
        if (waits > INIT_SECONDS * 1000) return SYSTEM_ERROR;
        usleep(1000);
    }
    // All have it, so its name is no longer needed, and nothing is left of it where they are killed.
    if (rank == 0) shm_unlink(id.internal);
    *communicator = new Communicator{meeting, rank, size};
    return OK;
}

API Status ncclAllReduce(const float* from, float* to, size_t count, DataType type, ReductionOperation operation,
                         Communicator* communicator, void* stream) {
    BEGIN_CALL();
    if (!communicator || operation != SUM) return INVALID_ARGUMENT;
    return enqueue(communicator, from, to, count, type, -1, stream);
}

API Status ncclBroadcast(const float* from, float* to, size_t count, DataType type, int root, Communicator* communicator,
                         void* stream) {
    BEGIN_CALL();
    if (!communicator || root < 0) return INVALID_ARGUMENT;
    return enqueue(communicator, from, to, count, type, root, stream);
}

// Called while another thread waits for the device, so without the driver's lock.
API Status ncclCommGetAsyncError(Communicator* communicator, Status* error) {
    if (!communicator) return INVALID_ARGUMENT;
    const Meeting& m = *communicator->meeting;
    const bool lost = std::any_of(m.process, m.process + communicator->size, [](int process) { return is_gone(process); });
    *error = lost ? REMOTE_ERROR : OK;
    return OK;
}

// Collectives that wait end without a result. What is queued refers to the communicator, so it stays until the process ends.
API Status ncclCommAbort(Communicator* communicator) {
    if (!communicator) return INVALID_ARGUMENT;
    communicator->aborted = true;
    return OK;
}

API Status ncclCommDestroy(Communicator* communicator) {
    BEGIN_CALL();
    if (!communicator) return INVALID_ARGUMENT;
    munmap(communicator->meeting, sizeof(Meeting));
    delete communicator;
    return OK;
}

API const char* ncclGetErrorString(Status status) {
    switch (status) {
        case OK: return "no error";
        case UNHANDLED_CUDA_ERROR: return "unhandled cuda error (run with NCCL_DEBUG=INFO for details)";
        case SYSTEM_ERROR: return "unhandled system error (run with NCCL_DEBUG=INFO for details)";
        case INVALID_ARGUMENT: return "invalid argument (run with NCCL_DEBUG=WARN for details)";
        case INVALID_USAGE: return "invalid usage (run with NCCL_DEBUG=WARN for details)";
        case REMOTE_ERROR: return "remote process exited or there was a network error";
    }
    return "unknown result code";
}

API const char* ncclGetLastError(Communicator*) { return ""; }
