// SPDX-License-Identifier: Apache-2.0
// Events: marks in a stream, with the host's time at which the work before them was done.
#include <chrono>
#include <map>

#include "driver.h"

using namespace driver;

namespace {

using Clock = std::chrono::steady_clock;

// What a recording put into a stream. A stream that waits does so for the mark, whatever is recorded later.
struct Mark {
    Stream* stream;
    bool reached = false;
    Clock::time_point time;
};

struct Event {
    std::shared_ptr<Mark> mark;  // null until recorded
    bool captured = false;

    bool is_pending() const { return mark && !mark->reached; }
};

std::map<void*, std::shared_ptr<Event>> events;  // a mark that waits in a stream keeps its event

std::shared_ptr<Event> event_of(void* handle) {
    const auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

}  // namespace

void driver::clear_events() { events.clear(); }

API cuEventCreate(void** handle, unsigned) {
    BEGIN_CONTEXT_CALL();
    auto event = std::make_shared<Event>();
    *handle = event.get();
    events[*handle] = event;
    return SUCCESS;
}

API cuEventRecord(void* handle, void* stream) {
    BEGIN_CONTEXT_CALL();
    const std::shared_ptr<Event> event = event_of(handle);
    if (!event || !stream_of(stream)) return INVALID_HANDLE;
    event->captured = is_capturing(stream);
    if (event->captured) return SUCCESS;  // orders other streams' captures, which are not simulated
    event->mark = std::make_shared<Mark>(Mark{stream_of(stream)});
    return enqueue(stream, [mark = event->mark] {
        mark->reached = true;
        mark->time = Clock::now();
        return SUCCESS;
    });
}

API cuStreamWaitEvent(void* stream, void* handle, unsigned) {
    BEGIN_CONTEXT_CALL();
    const std::shared_ptr<Event> event = event_of(handle);
    if (!event || !stream_of(stream)) return INVALID_HANDLE;
    if (event->captured || is_capturing(stream)) return STREAM_CAPTURE_UNSUPPORTED;
    if (!event->mark) return SUCCESS;
    return enqueue(stream, [mark = event->mark] { return run_until(*mark->stream, mark->reached); });
}

API cuEventQuery(void* handle) {
    BEGIN_CONTEXT_CALL();
    const std::shared_ptr<Event> event = event_of(handle);
    if (!event) return INVALID_HANDLE;
    if (event->captured) return CAPTURED_EVENT;
    return event->is_pending() ? NOT_READY : SUCCESS;
}

API cuEventSynchronize(void* handle) {
    BEGIN_CONTEXT_CALL();
    const std::shared_ptr<Event> event = event_of(handle);
    if (!event) return INVALID_HANDLE;
    if (event->captured) return CAPTURED_EVENT;
    return event->is_pending() ? run(*event->mark->stream) : SUCCESS;
}

API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    BEGIN_CONTEXT_CALL();
    const std::shared_ptr<Event> from = event_of(start), to = event_of(end);
    if (!from || !to || !from->mark || !to->mark) return INVALID_HANDLE;
    if (from->captured || to->captured) return CAPTURED_EVENT;
    if (from->is_pending() || to->is_pending()) return NOT_READY;
    *milliseconds = std::chrono::duration<float, std::milli>(to->mark->time - from->mark->time).count();
    return SUCCESS;
}

API cuEventDestroy_v2(void* handle) {
    BEGIN_CONTEXT_CALL();
    return events.erase(handle) ? SUCCESS : INVALID_HANDLE;
}
