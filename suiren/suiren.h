#pragma once
// All that a program needs of suiren: tensors, ops and gradients, modules, optimizers, text, data, models,
// training.

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/tensor.h"
#include "suiren/data/loader.h"
#include "suiren/data/shards.h"
#include "suiren/infer/generate.h"
#include "suiren/models/transformer.h"
#include "suiren/nn/layers.h"
#include "suiren/nn/recurrent.h"
#include "suiren/ops/ops.h"
#include "suiren/optim/clip.h"
#include "suiren/optim/optim.h"
#include "suiren/optim/schedule.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/text/tokenizer.h"
#include "suiren/train/trainer.h"
