// SPDX-License-Identifier: Apache-2.0
// Graphs: work that a stream captured, to be launched again and again. Kernel parameters were copied at capture; memory that
// copies and fills touch is read and written at each launch.
#include <cstdint>

#include "driver.h"

using namespace driver;

namespace {

struct Graph {
    std::vector<Work> nodes;  // in the order of the stream
};

struct Executable {
    std::shared_ptr<const std::vector<Work>> nodes;  // a launch that waits in a stream keeps them
};

std::set<Graph*> graphs;
std::set<Executable*> executables;

template <class T>
T* find(const std::set<T*>& all, void* handle) {
    T* found = static_cast<T*>(handle);
    return all.count(found) ? found : nullptr;
}

template <class T>
Result destroy(std::set<T*>& all, void* handle) {
    T* found = find(all, handle);
    if (!found) return INVALID_VALUE;
    all.erase(found);
    delete found;
    return SUCCESS;
}

template <class T>
void clear(std::set<T*>& all) {
    for (T* one : all) delete one;
    all.clear();
}

}  // namespace

size_t driver::live_graphs() { return graphs.size() + executables.size(); }

void driver::clear_graphs() {
    clear(graphs);
    clear(executables);
}

API cuStreamEndCapture(void* handle, void** graph) {
    const std::lock_guard<std::recursive_mutex> ending(lock);
    *graph = nullptr;
    Stream* stream = stream_of(handle);
    if (!stream || !stream->capture) return stream ? ILLEGAL_STATE : INVALID_HANDLE;
    if (stream->capture->mode != CaptureMode::RELAXED && stream->capture->thread != std::this_thread::get_id()) {
        return STREAM_CAPTURE_WRONG_THREAD;
    }
    // However the call ends, the stream captures no longer.
    const std::unique_ptr<Capture> capture = std::move(stream->capture);
    BEGIN_CONTEXT_CALL();
    if (!capture->valid) return STREAM_CAPTURE_INVALIDATED;
    *graph = *graphs.insert(new Graph{std::move(capture->nodes)}).first;
    return SUCCESS;
}

API cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    BEGIN_CONTEXT_CALL();
    const Graph* graph = find(graphs, handle);
    if (!graph) return INVALID_VALUE;
    for (size_t i = 0; nodes && i < *count; i++) {
        nodes[i] = i < graph->nodes.size() ? const_cast<Work*>(&graph->nodes[i]) : nullptr;
    }
    *count = nodes ? std::min(*count, graph->nodes.size()) : graph->nodes.size();
    return SUCCESS;
}

API cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
    BEGIN_UNSAFE_CALL();
    const Graph* graph = find(graphs, handle);
    if (!graph) return INVALID_VALUE;
    auto nodes = std::make_shared<const std::vector<Work>>(graph->nodes);
    *executable = *executables.insert(new Executable{nodes}).first;
    return SUCCESS;
}

API cuGraphLaunch(void* handle, void* stream) {
    BEGIN_CONTEXT_CALL();
    const Executable* executable = find(executables, handle);
    if (!executable) return INVALID_VALUE;
    return enqueue(stream, [nodes = executable->nodes] {
        for (const Work& node : *nodes) {
            if (const Result result = node()) return result;
        }
        return SUCCESS;
    });
}

API cuGraphExecDestroy(void* handle) {
    BEGIN_CONTEXT_CALL();
    return destroy(executables, handle);
}

API cuGraphDestroy(void* handle) {
    BEGIN_CONTEXT_CALL();
    return destroy(graphs, handle);
}
