#include "suiren/data/documents.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// The first byte chooses the kind of file, a separator and whether bad bytes are mended.
void parse(Bytes bytes) {
  if (bytes.empty()) return;
  const uint8_t choice = bytes[0];
  const char* names[] = {"input.txt", "input.jsonl", "input.json"};
  const std::string path = put(names[choice % 3], text_of(bytes.subspan(1)));
  data::ImportOptions options;
  options.lossy = choice & 64;
  if (choice & 128) options.separator = "--";
  if (choice & 32) options.json_template = "{title|text}\n{n}";
  size_t documents = 0, size = 0;
  data::for_each_document({path}, options, [&](std::string_view document) {
    ++documents;
    size += document.size();
    if (document.empty()) broken("an empty document");
  });
  if (documents == 0) broken("no document and no error");
}

const Target target("records", parse, 4);  // with bad bytes mended: threefold, in a growing string

}  // namespace
}  // namespace suiren::fuzz
