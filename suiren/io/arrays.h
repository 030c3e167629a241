#pragma once
// Tensors as NumPy files: .npy (one array) and .npz (a zip of them, stored or deflated). Safe from any
// thread. bf16 has no NumPy type: it is refused with the advice to cast.

#include <map>
#include <string>

#include "suiren/core/tensor.h"

namespace suiren::io {

/// Errors as Npy::open; {kUnsupported} for unsigned types wider than 8 bits, which tensors have not.
Tensor load_npy(const std::string& path, const Device& device = {});
/// Writes the elements row-major, whole or not at all.
void save_npy(const std::string& path, const Tensor& t);

/// Every array of the archive by its name without ".npy". Throws Error{kInvalid} naming the file and the
/// member for damaged archives (checksums are compared), {kUnsupported} for encryption, Zip64 or another
/// compression.
std::map<std::string, Tensor> load_npz(const std::string& path, const Device& device = {});
/// The same over bytes.
std::map<std::string, Tensor> parse_npz(std::span<const uint8_t> bytes, const std::string& name,
                                        const Device& device = {});
/// Writes a stored (uncompressed) archive, as numpy.savez does, whole or not at all; at most 4 GiB.
void save_npz(const std::string& path, const std::map<std::string, Tensor>& arrays);

}  // namespace suiren::io
