#include "suiren/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"

namespace suiren {
namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("suiren-files-{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  size_t count() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }
  fs::path folder_;
};

ErrorCode code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

TEST_F(Files, WriteIsWholeOrNotAtAll) {
  write_file(path("a"), "old");
  {
    FileWriter w(path("a"));
    w.write(std::string(3 << 20, 'x'));
    EXPECT_EQ(w.size(), 3 << 20);
    EXPECT_EQ(read_file(path("a")), "old");
  }
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(count(), 1u) << "a temporary was left behind";
  const std::string big(2'500'001, 'y');
  write_file(path("a"), big);
  EXPECT_EQ(read_file(path("a")), big);
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, MappedBytesEqualReadBytes) {
  const std::string text("a\0b\xff\n", 5);
  write_file(path("m"), text);
  MappedFile m(path("m"));
  EXPECT_EQ(m.text(), text);
  MappedFile moved = std::move(m);
  EXPECT_EQ(moved.text(), text);
  EXPECT_TRUE(m.bytes().empty());
  write_file(path("empty"), "");
  EXPECT_TRUE(MappedFile(path("empty")).bytes().empty());
  EXPECT_EQ(read_file(path("empty")), "");
}

TEST_F(Files, ErrorsNameThePathAndTheReason) {
  EXPECT_EQ(code_of([&] { MappedFile m(path("none")); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { read_file(path("none")); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { MappedFile m(folder_); }), ErrorCode::kInvalid);
  EXPECT_EQ(code_of([&] { read_file(folder_); }), ErrorCode::kInvalid);
  EXPECT_EQ(code_of([&] { FileWriter w(path("no/such")); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([&] { FileWriter w(folder_); }), ErrorCode::kIo);
  write_file(path("file"), "x");
  EXPECT_EQ(code_of([&] { make_directories(path("file/below")); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([&] { make_directories(path("file")); }), ErrorCode::kIo);
  try {
    FileWriter w(path("no/such"));
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(path("no/such")), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("No such file"), std::string::npos) << e.what();
  }
}

TEST_F(Files, FullDiskIsAnErrorAndLeavesTheOldFile) {
  EXPECT_EQ(code_of([] { write_file("/dev/full", "x"); }), ErrorCode::kIo);
  write_file(path("kept"), "old");
  const pid_t child = ::fork();
  if (child == 0) {  // in a process of its own: the limit cannot be raised again
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(path("kept"), std::string(3 << 20, 'n'));
    } catch (const Error& e) {
      ::_exit(e.code() == ErrorCode::kIo && std::string(e.what()).find("too large") != std::string::npos ? 7
                                                                                                         : 8);
    }
    ::_exit(9);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(read_file(path("kept")), "old");
  EXPECT_EQ(count(), 1u);
}

TEST(Digest, MatchesThePublishedVectors) {  // FIPS 180-2, appendix B
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 pieces;
  for (int i = 0; i < 1000; ++i) pieces.update(std::string(1000, 'a').data(), 1000);
  EXPECT_EQ(pieces.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace suiren
