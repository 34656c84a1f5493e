// SPDX-License-Identifier: Apache-2.0
// The PTX in an image, as cuModuleLoadData takes it: a text that ends with a zero byte, or a fatbin.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace ptx {

struct ImageText {
    int architecture;  // 80 for compute_80; 0 of an image that is a text
    std::string text;
};

// Bytes of the image at this address without a text's last zero; 0 if it is neither a text of PTX nor a fatbin.
size_t image_bytes(const void* image);

// All PTX of an image of this size, or of several fatbins one behind the other; machine code is left out. Throws Error if it is
// damaged, or compressed in a way that is not known here: LZ4 and, where libzstd.so.1 is installed, Zstandard are.
std::vector<ImageText> texts_of(const void* image, size_t bytes);

}  // namespace ptx
