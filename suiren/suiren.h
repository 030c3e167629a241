#pragma once
// All that a program needs of suiren: tensors, ops and gradients.

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/tensor.h"
#include "suiren/ops/ops.h"
