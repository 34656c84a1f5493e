// SPDX-License-Identifier: Apache-2.0
#include "fatbin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "machine.h"

namespace ptx {

namespace {

// NVIDIA documents neither; this is what fatbinary of CUDA 12 and 13 writes.
struct Header {
    uint32_t magic;
    uint16_t version;
    uint16_t header_bytes;
    uint64_t content_bytes;
};
struct Entry {
    uint16_t kind;
    uint16_t version;
    uint32_t header_bytes;
    uint64_t content_bytes;     // with padding
    uint32_t compressed_bytes;  // 0 if it is not compressed
    uint32_t options_offset;
    uint32_t code_version;
    uint32_t architecture;
    uint64_t name[1];
    uint64_t flags;
    uint64_t reserved;
    uint64_t plain_bytes;  // 0 if it is not compressed
};
static_assert(sizeof(Header) == 16 && sizeof(Entry) == 64);

constexpr uint32_t MAGIC = 0xBA55ED50;
constexpr uint16_t KIND_PTX = 1;
constexpr uint64_t LZ4 = 0x2000, ZSTANDARD = 0x8000;

const char* const PTX_BEGIN = ".version";

template <class T>
T read(const uint8_t* from) {
    T value;
    memcpy(&value, from, sizeof value);
    return value;
}

// A block as LZ4's format describes it: tokens, each with literal bytes and a match in what was written before.
std::string expand_lz4(const uint8_t* from, size_t bytes, size_t plain_bytes) {
    const uint8_t* const end = from + bytes;
    std::string text;
    text.reserve(plain_bytes);
    const auto next = [&] {
        if (from == end) throw Error("fatbin: its LZ4 data ends in the middle");
        return *from++;
    };
    const auto length = [&](size_t nibble) {
        size_t sum = nibble;
        for (uint8_t more = nibble == 15 ? 255 : 0; more == 255;) {
            more = next();
            sum += more;
        }
        return sum;
    };
    while (from < end) {
        const uint8_t token = next();
        const size_t literals = length(token >> 4);
        if (literals > size_t(end - from)) throw Error("fatbin: its LZ4 data ends in the middle");
        text.append(reinterpret_cast<const char*>(from), literals);
        from += literals;
        if (from == end) break;  // the last token has no match
        const size_t low = next(), distance = low | size_t(next()) << 8;
        size_t match = 4 + length(token & 15);
        if (distance == 0 || distance > text.size() || text.size() + match > plain_bytes) {
            throw Error("fatbin: its LZ4 data is damaged");
        }
        for (size_t source = text.size() - distance; match > 0; match--, source++) {
            text.push_back(text[source]);
        }
    }
    return text;
}

std::string expand_zstandard(const uint8_t* from, size_t bytes, size_t plain_bytes) {
    static void* const library = dlopen("libzstd.so.1", RTLD_NOW);
    if (!library) {
        throw Error("fatbin: its PTX is compressed by Zstandard and libzstd.so.1 was not found (Debian: libzstd1)");
    }
    const auto decompress = reinterpret_cast<size_t (*)(void*, size_t, const void*, size_t)>(dlsym(library, "ZSTD_decompress"));
    std::string text(plain_bytes, '\0');
    if (!decompress || decompress(text.data(), plain_bytes, from, bytes) != plain_bytes) {
        throw Error("fatbin: its Zstandard data is damaged");
    }
    return text;
}

std::string expand(const Entry& entry, const uint8_t* content) {
    // No text of ours comes near, and a damaged size should not exhaust the memory.
    constexpr uint64_t MOST = uint64_t(1) << 32;
    if (entry.plain_bytes > MOST || entry.compressed_bytes > entry.content_bytes) {
        throw Error("fatbin: the sizes of an entry make no sense");
    }
    if (entry.flags & LZ4) return expand_lz4(content, entry.compressed_bytes, entry.plain_bytes);
    if (entry.flags & ZSTANDARD) return expand_zstandard(content, entry.compressed_bytes, entry.plain_bytes);
    if (entry.compressed_bytes) {
        throw Error("fatbin: its PTX is compressed in a way that is not known here; flags " + std::to_string(entry.flags));
    }
    return std::string(reinterpret_cast<const char*>(content), entry.content_bytes);
}

// The padding before and after a text is not part of it.
std::string trimmed(std::string text) {
    text.resize(strnlen(text.data(), text.size()));
    const size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == text.npos ? "" : text.substr(begin);
}

void read_fatbin(const uint8_t* from, const uint8_t* end, std::vector<ImageText>& texts) {
    while (from < end) {
        const Entry entry = size_t(end - from) < sizeof(Entry) ? Entry{} : read<Entry>(from);
        if (entry.header_bytes < sizeof(Entry) || entry.header_bytes > size_t(end - from)
            || entry.content_bytes > size_t(end - from) - entry.header_bytes) {
            throw Error("fatbin: an entry reaches beyond its end");
        }
        if (entry.kind == KIND_PTX) {
            texts.push_back({int(entry.architecture), trimmed(expand(entry, from + entry.header_bytes))});
        }
        from += entry.header_bytes + entry.content_bytes;
    }
}

bool is_text(const void* image) {
    const char* text = static_cast<const char*>(image);
    text += strspn(text, " \t\r\n");
    return strncmp(text, PTX_BEGIN, strlen(PTX_BEGIN)) == 0 || strncmp(text, "//", 2) == 0;
}

}  // namespace

size_t image_bytes(const void* image) {
    const uint8_t* bytes = static_cast<const uint8_t*>(image);
    if (is_text(image)) return strlen(static_cast<const char*>(image));
    if (read<uint32_t>(bytes) != MAGIC) return 0;
    const Header header = read<Header>(bytes);
    return header.header_bytes + header.content_bytes;
}

std::vector<ImageText> texts_of(const void* image, size_t bytes) {
    const uint8_t* from = static_cast<const uint8_t*>(image);
    const uint8_t* const end = from + bytes;
    if (bytes >= strlen(PTX_BEGIN) && read<uint32_t>(from) != MAGIC) {
        std::string text = trimmed(std::string(from, end));
        if (is_text(text.c_str())) return {{0, std::move(text)}};
    }
    std::vector<ImageText> texts;
    while (from < end) {
        const Header header = size_t(end - from) < sizeof(Header) ? Header{} : read<Header>(from);
        if (header.magic != MAGIC) throw Error("this is neither PTX nor a fatbin");
        if (header.header_bytes < sizeof(Header) || header.header_bytes > size_t(end - from)
            || header.content_bytes > size_t(end - from) - header.header_bytes) {
            throw Error("fatbin: its header says more bytes than there are");
        }
        from += header.header_bytes;
        read_fatbin(from, from + header.content_bytes, texts);
        from += header.content_bytes;
    }
    return texts;
}

}  // namespace ptx
