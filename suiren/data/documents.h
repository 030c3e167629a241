#pragma once
// Documents out of people's files: .txt, .jsonl, .json, folders of them, each also .gz or .zst.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/threads.h"

namespace suiren::data {

struct ImportOptions {
  std::string json_template;  ///< see RecordTemplate; "" takes the field `text`
  std::string separator;      ///< a line that parts text documents; "" means one or more blank lines
  bool lossy = false;         ///< read bytes that are not UTF-8 as U+FFFD instead of refusing them
  /// Called now and then with the bytes of the input files taken so far and in all.
  std::function<void(int64_t done, int64_t total)> progress;
};

/// The files that `paths` stand for: files as they are, folders as their .txt, .jsonl and .json files (also
/// .gz and .zst) at any depth, in order of their paths. Throws Error{kNotFound} for a missing path,
/// Error{kInvalid} for a folder without such files.
std::vector<std::string> list_inputs(const std::vector<std::string>& paths);

/// Calls `f` with every document, in order of `paths` (see list_inputs); the view is valid during the call.
/// Files with other endings are read as text.
///
/// Text: a blank line is empty or holds only spaces, tabs and CR. Documents are runs of lines that are not
/// blank (or what stands between separator lines); CR and LF at their ends are stripped, nothing else
/// changes. JSON: .jsonl has a record a line, .json one array of records (or one record); the template's text
/// is the document. Empty documents are passed over.
///
/// Throws Error{kInvalid} naming the file and the place: NUL bytes (binary), bytes that are not UTF-8, bad
/// JSON, a field that is missing, damaged compression, and inputs that hold no document at all.
void for_each_document(const std::vector<std::string>& paths, const ImportOptions& options,
                       FunctionRef<void(std::string_view document)> f);

}  // namespace suiren::data
