// SPDX-License-Identifier: Apache-2.0
// Streams: queues of work that run when something waits for them. A stream that captures records its work instead; what
// may be called meanwhile is as the driver API documents it (cuStreamBeginCapture).
#include "driver.h"

using namespace driver;

namespace {

std::set<Stream*> streams;
Stream default_stream;
thread_local CaptureMode thread_mode = CaptureMode::GLOBAL;

Result refuse(Capture& capture) {
    capture.valid = false;
    return STREAM_CAPTURE_UNSUPPORTED;
}

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

Result run_until(Stream& stream, const bool& reached) {
    while (!reached && !stream.queue.empty()) {
        const Work work = std::move(stream.queue.front());
        stream.queue.erase(stream.queue.begin());
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
    if (!stream->capture) {
        stream->queue.push_back(std::move(work));
        return SUCCESS;
    }
    if (!stream->capture->valid) return STREAM_CAPTURE_INVALIDATED;
    stream->capture->nodes.push_back(std::move(work));
    return SUCCESS;
}

bool is_capturing(void* handle) {
    const Stream* stream = stream_of(handle);
    return stream && stream->capture;
}

Result refuse_while_capturing(Stream& stream) { return stream.capture ? refuse(*stream.capture) : SUCCESS; }

Result refuse_unsafe_while_capturing() {
    if (thread_mode == CaptureMode::RELAXED) return SUCCESS;
    for (Stream* stream : streams) {
        Capture* capture = stream->capture.get();
        if (!capture) continue;
        const bool mine = capture->thread == std::this_thread::get_id() && capture->mode != CaptureMode::RELAXED;
        const bool anyones = capture->mode == CaptureMode::GLOBAL && thread_mode == CaptureMode::GLOBAL;
        if (mine || anyones) return refuse(*capture);
    }
    return SUCCESS;
}

Result refuse_while_any_captures() {
    for (Stream* stream : streams) {
        if (stream->capture) return refuse(*stream->capture);
    }
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
    if (!stream) return INVALID_HANDLE;
    if (const Result refused = refuse_while_capturing(*stream)) return refused;
    return run(*stream);
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

API cuThreadExchangeStreamCaptureMode(CaptureMode* mode) {
    BEGIN_CALL();
    std::swap(*mode, thread_mode);
    return SUCCESS;
}

API cuStreamBeginCapture_v2(void* handle, CaptureMode mode) {
    BEGIN_CONTEXT_CALL();
    Stream* stream = stream_of(handle);
    if (!stream) return INVALID_HANDLE;
    if (stream == &default_stream) return STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return ILLEGAL_STATE;
    stream->capture.reset(new Capture{mode, std::this_thread::get_id()});
    return SUCCESS;
}

API cuStreamIsCapturing(void* handle, int* status) {
    BEGIN_CONTEXT_CALL();
    const Stream* stream = stream_of(handle);
    if (!stream) return INVALID_HANDLE;
    *status = !stream->capture ? 0 : stream->capture->valid ? 1 : 2;  // none, active, invalidated
    return SUCCESS;
}
