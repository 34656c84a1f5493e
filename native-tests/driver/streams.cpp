// Streams: queues of work that run when something waits for them.
#include "driver.h"

using namespace driver;

namespace {

std::set<Stream*> streams;
Stream default_stream;

}  // namespace

namespace driver {

Result run(Stream& stream) {
    std::vector<Work> queue;
    queue.swap(stream.queue);
    for (const Work& work : queue) {
        if (sticky == SUCCESS) {
            sticky = work();
        }
    }
    return sticky;
}

Result run_all() {
    run(default_stream);
    for (Stream* stream : streams) {
        run(*stream);
    }
    return sticky;
}

Stream* stream_of(void* handle) {
    Stream* stream = static_cast<Stream*>(handle);
    return handle == nullptr ? &default_stream : streams.count(stream) ? stream : nullptr;
}

Result enqueue(void* handle, Work work) {
    Stream* stream = stream_of(handle);
    if (!stream) return INVALID_HANDLE;
    stream->queue.push_back(std::move(work));
    return SUCCESS;
}

void clear_streams() {
    for (Stream* stream : streams) delete stream;
    streams.clear();
}

}  // namespace driver

API cuStreamCreate(void** handle, unsigned) {
    BEGIN_CONTEXT_CALL();
    *handle = *streams.insert(new Stream).first;
    return SUCCESS;
}

API cuStreamSynchronize(void* handle) {
    BEGIN_CONTEXT_CALL();
    Stream* stream = stream_of(handle);
    return stream ? run(*stream) : INVALID_HANDLE;
}

API cuStreamDestroy_v2(void* handle) {
    BEGIN_CONTEXT_CALL();
    Stream* stream = stream_of(handle);
    if (!stream || stream == &default_stream) return INVALID_HANDLE;
    run(*stream);
    streams.erase(stream);
    delete stream;
    return SUCCESS;
}
