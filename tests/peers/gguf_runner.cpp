// Quantized formats for a program in another language (gguf_check.py): one command a process.
//
//   dequantize FORMAT COUNT < blocks > float32          COUNT elements
//   quantize FORMAT COUNT [ROW] < float32 > blocks      ROW weights stand before the COUNT numbers
//   copy FROM.gguf TO.gguf                              read and written again

#include <iostream>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"

namespace {

using namespace suiren;

template <class T>
std::vector<T> read(size_t count) {
  std::vector<T> out(count);
  std::cin.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(count * sizeof(T)));
  SR_CHECK(std::cin, "the input ends early");
  return out;
}

template <class T>
void write(const std::vector<T>& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(T)));
}

void run(const std::vector<std::string>& arguments) {
  SR_CHECK(arguments.size() >= 3, "expected dequantize, quantize or copy, and what they take");
  if (arguments[0] == "copy") {
    const io::Gguf file = io::Gguf::open(arguments[1]);
    io::GgufMetadata metadata;
    for (const auto& [key, value] : file.metadata()) metadata.set(key, value);
    return io::write_gguf(arguments[2], file.entries(), metadata);
  }
  const auto format = quant::BlockFormat::parse(arguments[1]);
  SR_CHECK(format, "no format '{}'", arguments[1]);
  const auto count = std::stoul(arguments[2]);
  const auto bytes = static_cast<size_t>(format->bytes(static_cast<int64_t>(count)));
  if (arguments[0] == "dequantize") {
    std::vector<float> values(count);
    quant::dequantize(*format, read<uint8_t>(bytes), values);
    write(values);
  } else {
    const auto weights = read<float>(arguments.size() > 3 ? std::stoul(arguments[3]) : 0),
               values = read<float>(count);
    std::vector<uint8_t> blocks(bytes);
    quant::quantize(*format, values, weights, blocks);
    write(blocks);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 2;
  }
}
