#pragma once
// The tile registers of AMX.

#include <cstdint>

namespace suiren::cpu {

/// Asks the operating system for the tile registers, which Linux hands out only to a process that does:
/// whether this process may use them.
bool tiles_allowed();

/// All eight registers at their full size, 16 rows of 64 bytes: what _tile_loadconfig reads.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace suiren::cpu
