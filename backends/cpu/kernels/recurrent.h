#pragma once
// One row of one step of a backward pass: what all copies of recurrent.cpp (one for each target) share.

namespace suiren::cpu {

struct LstmStep {
  const float *p, *q, *before, *c, *g_y, *g_c;
  float *dh, *dc, *da;  ///< dh, dc: what the next step passed down; dc becomes what this one does
};
struct GruStep {
  const float *p, *q, *b, *before, *g;
  float *dh, *dp, *dq;  ///< dh: what the next step passed down; becomes the part that avoids w_hh
};

}  // namespace suiren::cpu
