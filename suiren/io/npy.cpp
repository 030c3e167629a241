#include "suiren/io/npy.h"

#include <optional>

#include "suiren/base/dtype.h"
#include "suiren/base/error.h"
#include "suiren/io/reader.h"

namespace suiren::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxExtent = (INT64_MAX - 9) / 10;

/// Bytes of one element of a NumPy type string, or nothing for a type that is not read here.
std::optional<int64_t> element_size(std::string_view descr) {
  if (descr.size() != 3 || (descr[0] != '<' && !(descr[0] == '|' && descr[2] == '1'))) return std::nullopt;
  const std::string_view sizes = descr[1] == 'f'                      ? "248"
                                 : descr[1] == 'i' || descr[1] == 'u' ? "1248"
                                 : descr[1] == 'b'                    ? "1"
                                                                      : "";
  if (sizes.find(descr[2]) == std::string_view::npos) return std::nullopt;
  return descr[2] - '0';
}

/// The header is a Python dictionary of three known keys: this reads just that much of Python.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void parse(std::string& descr, bool& fortran, std::vector<int64_t>& shape) {
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        descr = quoted(), seen |= 1;
      } else if (key == "fortran_order") {
        fortran = boolean(), seen |= 2;
      } else if (key == "shape") {
        shape = tuple(), seen |= 4;
      } else {
        wrong("an unknown key");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    SR_CHECK(seen == 7, "{}: the .npy header lacks descr, fortran_order or shape", name_);
  }

 private:
  [[noreturn]] void wrong(const char* what) const {
    fail(ErrorCode::kInvalid, "{}: the .npy header has {} at character {}: {}", name_, what, at_,
         text_.substr(0, 120));
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) wrong("something unexpected");
  }
  std::string quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const auto end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) wrong("no string");
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    wrong("no True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> extents;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      const size_t begin = at_;
      int64_t value = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (value > kMaxExtent) wrong("too large an extent");
        value = value * 10 + (text_[at_] - '0');
      }
      if (at_ == begin) wrong("no extent");
      extents.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

template <class T>
void convert(std::span<const uint8_t> bytes, std::vector<double>& out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
}

}  // namespace

Npy Npy::open(const std::string& path) {
  Npy result;
  result.file_ = MappedFile(path);
  result.parse(result.file_.bytes(), path);
  return result;
}

Npy Npy::from_bytes(std::span<const uint8_t> bytes, const std::string& name) {
  Npy result;
  result.parse(bytes, name);
  return result;
}

void Npy::parse(std::span<const uint8_t> bytes, const std::string& name) {
  Reader reader(bytes, name);
  SR_CHECK(reader.string(kMagic.size()) == kMagic, "{}: not a .npy file", name);
  const int major = reader.u8(), minor = reader.u8();
  SR_CHECK(major >= 1 && major <= 3, "{}: .npy version {}.{} is not known; 1 to 3 are", name, major, minor);
  const uint64_t header_size = major == 1 ? reader.u16() : reader.u32();
  bool fortran = false;
  HeaderParser(reader.string(header_size), name).parse(descr_, fortran, shape_);
  SR_CHECK_AS(kUnsupported, !fortran || shape_.size() < 2,
              "{}: the array is in Fortran order; save numpy.ascontiguousarray of it", name);
  const auto element = element_size(descr_);
  SR_CHECK_AS(kUnsupported, element.has_value(),
              "{}: type '{}' is not supported; use a little-endian number type", name, descr_);
  const int64_t wanted = checked_mul(checked_numel(shape_, name), *element, name);
  bytes_ = reader.bytes(static_cast<uint64_t>(wanted));
  SR_CHECK(reader.remaining() == 0, "{}: {} bytes follow the array", name, reader.remaining());
}

int64_t Npy::numel() const { return checked_numel(shape_, "npy"); }

std::vector<double> Npy::to_doubles() const {
  std::vector<double> out(static_cast<size_t>(numel()));
  const std::string_view type = std::string_view(descr_).substr(1);
  if (type == "f8") convert<double>(bytes_, out);
  if (type == "f4") convert<float>(bytes_, out);
  if (type == "f2") convert<float16>(bytes_, out);
  if (type == "i1") convert<int8_t>(bytes_, out);
  if (type == "i2") convert<int16_t>(bytes_, out);
  if (type == "i4") convert<int32_t>(bytes_, out);
  if (type == "i8") convert<int64_t>(bytes_, out);
  if (type == "u1" || type == "b1") convert<uint8_t>(bytes_, out);
  if (type == "u2") convert<uint16_t>(bytes_, out);
  if (type == "u4") convert<uint32_t>(bytes_, out);
  if (type == "u8") convert<uint64_t>(bytes_, out);
  return out;
}

std::string npy_header(std::string_view descr, std::span<const int64_t> shape, const std::string& name) {
  SR_CHECK(element_size(descr).has_value(), "{}: '{}' is not a .npy type", name, descr);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  const size_t prefix = kMagic.size() + 4;  // the whole header is padded to a multiple of 64
  header.resize((prefix + header.size() + 1 + 63) / 64 * 64 - prefix - 1, ' ');
  header += '\n';
  const auto size = static_cast<uint16_t>(header.size());
  std::string whole(kMagic);
  whole.append("\x01\x00", 2);
  whole.append(reinterpret_cast<const char*>(&size), sizeof size);
  return whole + header;
}

void write_npy(const std::string& path, std::string_view descr, std::span<const int64_t> shape,
               std::span<const uint8_t> bytes) {
  const std::string header = npy_header(descr, shape, path);
  const int64_t wanted = checked_mul(checked_numel(shape, path), *element_size(descr), path);
  SR_CHECK(static_cast<size_t>(wanted) == bytes.size(), "{}: {} bytes given, but {} [{}] takes {}", path,
           bytes.size(), descr, fmt::join(shape, ", "), wanted);
  FileWriter file(path);
  file.write(header);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> values) {
  write_npy(path, "<f4", shape, {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
}

}  // namespace suiren::io
