#pragma once
// How Highway is compiled here: SSE4 (the baseline, without AES), AVX2 and AVX-512, chosen by isa(), so that
// SUIREN_ISA rules these kernels as well as the matrix products. Include before hwy/foreach_target.h.

#include "suiren/base/cpu.h"

#ifndef HWY_DISABLE_PCLMUL_AES
#define HWY_DISABLE_PCLMUL_AES
#endif

// Elsewhere the one level that every CPU of the kind has: NEON, or vectors in plain C++.
#if !defined(__x86_64__) && !defined(HWY_COMPILE_ONLY_STATIC)
#define HWY_COMPILE_ONLY_STATIC
#endif

/// The copy of `name` (a function or a constant table in HWY_NAMESPACE) for this machine.
#if defined(__x86_64__)
#define SUIREN_PICK(name)                                   \
  (::suiren::isa() == ::suiren::Isa::kAvx512 ? N_AVX3::name \
   : ::suiren::isa() == ::suiren::Isa::kAvx2 ? N_AVX2::name \
                                             : N_SSE4::name)
#else
#define SUIREN_PICK(name) HWY_STATIC_DISPATCH(name)
#endif

/// Before a loop over an array of vectors of fixed number (at most 8): left to -O2, the array stays in memory
/// and each step of a sum waits for a store and a load.
#define SUIREN_UNROLL _Pragma("GCC unroll 8")
