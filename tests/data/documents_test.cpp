#include "suiren/data/documents.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::data {
namespace fs = std::filesystem;

using Documents = std::vector<std::string>;

std::string gzip(const std::string& text) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class Import : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / fmt::format("suiren-import-{}", ::getpid())).string();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string put(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    make_directories(fs::path(path).parent_path());
    write_file(path, bytes);
    return path;
  }
  static Documents read(const std::vector<std::string>& paths, const ImportOptions& options = {}) {
    Documents documents;
    for_each_document(paths, options, [&](std::string_view d) { documents.emplace_back(d); });
    return documents;
  }
  static std::string refusal(const std::vector<std::string>& paths, const ImportOptions& options = {}) {
    try {
      read(paths, options);
    } catch (const Error& e) {
      EXPECT_EQ(exit_code(e.code()), 2);
      return e.what();
    }
    return "";
  }
  std::string folder_;
};

/// The rule as the reference has it: "\n" + text + "\n" split at \n([ \t\r]*\n)+, CR and LF stripped, empties
/// dropped.
Documents split_by_definition(const std::string& text) {
  const std::string s = "\n" + text + "\n";
  Documents out;
  std::string current;
  const auto flush = [&] {
    const auto b = current.find_first_not_of("\r\n"), e = current.find_last_not_of("\r\n");
    if (b != std::string::npos) out.push_back(current.substr(b, e + 1 - b));
    current.clear();
  };
  for (size_t i = 0; i < s.size();) {
    size_t end = i;  // the longest separator that begins here
    if (s[i] == '\n') {
      for (size_t j = i + 1; j < s.size(); ++j) {
        if (s[j] == '\n')
          end = j + 1;
        else if (s[j] != ' ' && s[j] != '\t' && s[j] != '\r')
          break;
      }
    }
    if (end > i) {
      flush();
      i = end;
    } else {
      current += s[i++];
    }
  }
  flush();
  return out;
}

TEST_F(Import, TextSplitsAtBlankLinesOnly) {
  const std::pair<const char*, Documents> cases[] = {
      {"a\n\nb\n", {"a", "b"}},
      {"a\nb", {"a\nb"}},
      {"\n\n\na\n \t \r\n\nb  \n\n", {"a", "b  "}},
      {"a\r\n\r\nb\r\n", {"a", "b"}},
      {"  a\n  b", {"  a\n  b"}},
      {"  \na", {"a"}},
      {"\r\ra\r\r", {"a"}},
      {"a\rb\n\nc", {"a\rb", "c"}},
      {"a\n\xe3\x80\x80\nb", {"a\n\xe3\x80\x80\nb"}},  // an ideographic space is text
      {"a\n\x0b\nb", {"a\n\x0b\nb"}},
      {"a \n\n", {"a "}},
      {"春\n\n\n夏\n秋", {"春", "夏\n秋"}},
  };
  for (const auto& [text, wanted] : cases) {
    EXPECT_EQ(read({put("t.txt", text)}), wanted) << testing::PrintToString(text);
    EXPECT_EQ(split_by_definition(text), wanted) << testing::PrintToString(text);
  }
}

TEST_F(Import, RandomTextSplitsAsDefined) {
  uint64_t state = 1;
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += "ab \t\r\n\n\n"[state >> 61];
    }
    const auto wanted = split_by_definition(text);
    if (wanted.empty()) continue;
    ASSERT_EQ(read({put("t.txt", text)}), wanted) << testing::PrintToString(text);
    ++compared;
  }
  EXPECT_GT(compared, 300);
}

TEST_F(Import, LongLinesAndManyChunksArriveWhole) {
  std::string text;
  Documents wanted;
  for (int i = 0; i < 40; ++i) {
    wanted.push_back(std::string(static_cast<size_t>(i) * 12345 + 1, static_cast<char>('a' + i % 26)) +
                     "\nx");
    text += wanted.back() + "\n\n";
  }
  wanted.push_back(std::string(5 << 20, 'z'));
  text += wanted.back();
  EXPECT_EQ(read({put("t.txt", text)}), wanted);
  EXPECT_EQ(read({put("t.txt.gz", gzip(text))}), wanted);
  EXPECT_EQ(read({put("t.txt.zst", zstd(text))}), wanted);
}

TEST_F(Import, ACustomSeparatorIsALine) {
  ImportOptions o;
  o.separator = "---";
  EXPECT_EQ(read({put("t.txt", "a\n\nb\n---\r\n---\nc ---\n---")}, o), (Documents{"a\n\nb", "c ---"}));
}

TEST_F(Import, CompressedFilesHoldTheSameDocuments) {
  const std::string text = "a\n\nb\nc\n", more = "\n\nd\n", lines = "{\"text\":\"x\"}\n{\"text\":\"y\"}";
  EXPECT_EQ(read({put("a.txt.gz", gzip(text) + gzip(more))}), (Documents{"a", "b\nc", "d"}));
  EXPECT_EQ(read({put("a.txt.zst", zstd(text) + zstd(more))}), (Documents{"a", "b\nc", "d"}));
  EXPECT_EQ(read({put("a.jsonl.gz", gzip(lines))}), (Documents{"x", "y"}));
  EXPECT_EQ(read({put("a.json.zst", zstd("[" + lines.substr(0, 12) + "]"))}), (Documents{"x"}));
  for (const std::string& whole :
       {gzip(text + std::string(1000, 'q')), zstd(text + std::string(1000, 'q'))}) {
    const bool gz = whole[0] == '\x1f';
    for (size_t n = 0; n < whole.size(); ++n) {
      const std::string message = refusal({put(gz ? "cut.txt.gz" : "cut.txt.zst", whole.substr(0, n))});
      ASSERT_NE(message.find("cannot be decompressed"), std::string::npos) << n << " bytes: " << message;
    }
  }
  const std::string wide("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9);  // claims a window of 256 MiB
  EXPECT_NE(refusal({put("wide.txt.zst", wide)}).find("wants a window of more than 128 MiB"),
            std::string::npos);
  EXPECT_NE(refusal({put("x.txt.gz", "not gzip")}).find("x.txt.gz cannot be decompressed"),
            std::string::npos);
  EXPECT_NE(refusal({put("x.txt.zst", "not zstd")}).find("x.txt.zst cannot be decompressed"),
            std::string::npos);
}

TEST_F(Import, JsonTakesTextOrATemplate) {
  EXPECT_EQ(
      read({put("a.jsonl", "{\"text\": \"x\\ny\\n\", \"n\": 1}\n\n{\"text\":\"\"}\r\n{\"text\":\"z\"}\n")}),
      (Documents{"x\ny\n", "z"}));
  EXPECT_EQ(read({put("a.json", R"([{"text":"x"},{"text":"y"}])")}), (Documents{"x", "y"}));
  ImportOptions o;
  o.json_template = R"({title|rhythmic}\n{author}\n{paragraphs})";
  const auto poems =
      put("poems.json", R"([{"title":"静夜思","author":"李白","paragraphs":["床前明月光,","疑是地上霜。"]},
                                           {"title":null,"rhythmic":"水调歌头","author":"苏轼","paragraphs":[]}])");
  EXPECT_EQ(read({poems}, o), (Documents{"静夜思\n李白\n床前明月光,\n疑是地上霜。", "水调歌头\n苏轼\n"}));
  o.json_template = R"(\{{n}\}\t{b}\\{v})";
  EXPECT_EQ(read({put("b.json", R"({"n": 1.5, "b": true, "v": [1, "two", [3]]})")}, o),
            (Documents{"{1.5}\ttrue\\1\ntwo\n3"}));
}

TEST_F(Import, BadRecordsAndTemplatesAreNamed) {
  const auto has = [&](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
  };
  has(refusal({put("a.jsonl", "{\"text\":\"x\"}\n{\"body\":\"x\"}")}),
      folder_ + "/a.jsonl, line 2: field 'text' is missing; the record has body");
  has(refusal({put("a.json", R"([{"text":"x"},{"text":{}}])")}),
      "a.json, record 2: field 'text' holds an object");
  has(refusal({put("a.json", "[\"x\"]")}), "record 1: an object is expected, this is string");
  has(refusal({put("a.jsonl", "{\"text\":\"x\"}\n{\"text\": x}")}), "a.jsonl:2:10: not valid JSON");
  has(refusal({put("a.json", "{")}), "a.json:1:2: not valid JSON");
  const auto with = [&](const char* text) {
    ImportOptions o;
    o.json_template = text;
    return refusal({put("a.json", R"({"a":"x"})")}, o);
  };
  EXPECT_EQ(with("{a}"), "");
  has(with("{a|b}{b|c}"), "record 1: field 'b|c' is missing");
  has(with("{a"), "is not closed");
  has(with("a}"), "closes nothing");
  has(with("{}"), "a field has no name");
  has(with("{a|}"), "a field has no name");
  has(with("\\q"), "unknown escape \\q");
  has(with("x\\"), "ends in a backslash");
}

TEST_F(Import, UnusableInputIsNamed) {
  const auto has = [&](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
  };
  has(refusal({folder_ + "/none.txt"}), "/none.txt: no such file");
  has(refusal({put("empty.txt", "")}), "empty.txt holds no documents");
  has(refusal({put("blank.txt", " \n\r\n\t")}), "blank.txt holds no documents");
  has(refusal({put("empty.json", "\n")}), "empty.json holds no documents");
  has(refusal({put("bin.txt", std::string("ab\nc\0d", 6))}),
      "bin.txt is binary: a NUL byte stands at offset 4 (line 2)");
  has(refusal({put("latin.txt", "good\n\nna\xefve\n")}),
      "latin.txt is not UTF-8: byte 0xef at offset 8 (line 3)");
  has(refusal({put("latin.txt", "good\n\nna\xefve\n")}), "--lossy");
  has(refusal({put("latin.json", "[{\"text\":\n\"\xe9\"}]")}),
      "latin.json is not UTF-8: byte 0xe9 at offset 11 (line 2)");
  has(refusal({}), "no input files");
  fs::create_directories(folder_ + "/sub");
  put("sub/readme.md", "x");
  has(refusal({folder_ + "/sub"}), "sub holds no .txt, .jsonl or .json files");
  ImportOptions lossy;
  lossy.lossy = true;
  EXPECT_EQ(read({put("latin.txt", "good\n\nna\xefve\n")}, lossy), (Documents{"good", "na\uFFFDve"}));
  EXPECT_EQ(read({put("latin.jsonl", "{\"text\":\"\xe9!\"}")}, lossy), (Documents{"\uFFFD!"}));
}

TEST_F(Import, FoldersAreReadInOrder) {
  put("d/b.txt", "2\n\n3");
  put("d/a/z.txt", "1");
  put("d/c.jsonl.gz", gzip("{\"text\":\"4\"}"));
  put("d/notes.md", "no");
  put("d/e/f/g.txt.zst", zstd("5"));
  const auto file = put("plain", "0");
  EXPECT_EQ(read({file, folder_ + "/d"}), (Documents{"0", "1", "2", "3", "4", "5"}));
  int64_t done = -1, total = 0;
  ImportOptions o;
  o.progress = [&](int64_t d, int64_t t) {
    EXPECT_GE(d, done);
    done = d, total = t;
  };
  read({folder_ + "/d"}, o);
  EXPECT_EQ(done, total);
  EXPECT_GT(total, 0);
}

}  // namespace suiren::data
