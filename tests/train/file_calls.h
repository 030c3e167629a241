#pragma once
// What this process does to its files, call by call: counted, to die at one of them, and recorded, to build
// what a file system may hold after a power cut. The definitions stand before libc's. One thread.

#include <cstdint>
#include <string>
#include <vector>

namespace suiren::train {

/// Folders and files go by inode, so that a rename changes no file.
struct FileCall {
  enum Kind {
    kLink,    ///< the entry `name` of `folder` now is `inode`: a file or folder made
    kMove,    ///< `inode` was `name` and is `to`
    kSwap,    ///< `inode` was `name` and is `to`, `other` the reverse
    kRemove,  ///< the entry `name` is gone
    kWrite,   ///< `data` was appended to `inode`
    kSync,    ///< of `inode`: a file's bytes, a folder's entries
  };
  Kind kind;
  uint64_t folder = 0, inode = 0, other = 0;
  std::string name = {}, to = {}, data = {};
  bool makes_folder = false;
};

/// The process is killed at its n-th call from now on; 0: never.
void die_at_call(long n);
/// Calls are added to `log` from now on; null: no longer.
void record_calls(std::vector<FileCall>* log);

}  // namespace suiren::train
