#include "suiren/conform/symbols.h"

#include <elf.h>

#include <cstring>
#include <set>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::conform {
namespace {

template <class T>
T at(const std::string& file, uint64_t offset, const std::string& path) {
  SR_CHECK(offset <= file.size() && sizeof(T) <= file.size() - offset, "{} is cut short", path);
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

}  // namespace

std::vector<std::string> exported_symbols(const std::string& path) {
  static const std::set<std::string> linker{"_init", "_fini", "_edata", "_end", "__bss_start"};
  const std::string file = read_file(path);
  SR_CHECK(
      file.size() > sizeof(Elf64_Ehdr) && file.compare(0, 4, ELFMAG) == 0 && file[EI_CLASS] == ELFCLASS64,
      "{} is no 64-bit ELF file", path);
  const auto header = at<Elf64_Ehdr>(file, 0, path);
  const auto section = [&](uint64_t i) {
    return at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr), path);
  };
  std::vector<std::string> names;
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr table = section(i);
    if (table.sh_type != SHT_DYNSYM) continue;
    const Elf64_Shdr strings = section(table.sh_link);
    for (uint64_t s = 0; s < table.sh_size / sizeof(Elf64_Sym); ++s) {
      const auto symbol = at<Elf64_Sym>(file, table.sh_offset + s * sizeof(Elf64_Sym), path);
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL ||
          ELF64_ST_VISIBILITY(symbol.st_other) != STV_DEFAULT)
        continue;
      const uint64_t from = strings.sh_offset + symbol.st_name;
      SR_CHECK(from < file.size(), "{} is cut short", path);
      const std::string name = file.c_str() + from;
      if (!linker.count(name)) names.push_back(name);
    }
  }
  return names;
}

}  // namespace suiren::conform
