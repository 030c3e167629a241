/* The border between suiren and a chip: version 1, frozen (backends/abi/frozen).
 *
 * Pure C11. A plug-in exports one symbol, suiren_plugin_entry_v1, and returns a static table.
 * Every struct starts with struct_size: a field exists only if it ends inside that size, and a NULL function
 * means absent. No bool, enum, long or bit-field crosses the border. The major version is the symbol's
 * suffix.
 *
 * Sizes: whoever allocates a struct sets its struct_size and zeroes the rest. A reader uses a field only if
 * it ends inside struct_size; a chip writes only such fields of what the host hands it, and those that it
 * knows.
 *
 * Lifetimes: sr_op, its tensors, attributes and all that they point to are valid only during op_query or
 * op_run; an asynchronous chip copies what it needs. Handles live until they are freed. mem_free takes effect
 * after all work queued so far on the device's streams: waiting for it, or freeing later, is the chip's duty.
 * Closing, destroying or freeing NULL does nothing, and so does closing a device that is closed already.
 *
 * Threads: functions of a device are called from several threads at the same time; functions that take a
 * stream are called for one stream from one thread at a time, unless sr_device_info.concurrent_stream is 1.
 *
 * Errors: status codes only; sr_backend.last_error gives the sentence, per thread, until that thread's next
 * call. An error that is found after op_run or copy returned SR_OK is late: the next stream_sync, or the next
 * copy that waits, reports it once. The stream goes on after it.
 */
#ifndef SUIREN_BACKEND_H
#define SUIREN_BACKEND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Status of a call. */
typedef int32_t sr_status;
#define SR_OK 0
#define SR_ERROR_INVALID 1 /* an argument is wrong; from op_run: a value, such as an index out of range */
#define SR_ERROR_OUT_OF_MEMORY 2 /* the device has not that much memory */
#define SR_ERROR_UNSUPPORTED 3   /* an unknown thing: never abort, return this */
#define SR_ERROR_DEVICE 4        /* the device failed */

/* Element types. Numbers from 64 are block formats of quantized weights: sr_tensor.block describes them. */
#define SR_F64 0
#define SR_F32 1
#define SR_BF16 2
#define SR_F16 3
#define SR_I8 4
#define SR_U8 5
#define SR_I16 6
#define SR_I32 7
#define SR_I64 8
#define SR_BOOL 9
#define SR_BLOCK_FIRST 64

/* A block format: rows of a tensor are whole blocks, one after another. The tensor lies without gaps, its
 * strides count elements all the same, and `offset` is the first byte of its first block. */
typedef struct sr_block {
  uint32_t struct_size;
  uint32_t elements; /* of one block */
  uint32_t bytes;    /* of one block */
  uint32_t reserved;
  const char* name; /* as GGUF names it, in lower case: "q4_k" */
} sr_block;

typedef struct sr_device_s* sr_device; /* an opened device */
typedef struct sr_stream_s* sr_stream; /* an ordered queue of work on a device */
typedef struct sr_memory_s* sr_memory; /* an allocation; opaque, since not every chip has pointers */
typedef struct sr_plan_s* sr_plan;     /* how a chip will run one op; the chip owns it until device_close */

/* What the host offers to a chip. */
typedef struct sr_host {
  uint32_t struct_size;
  uint32_t abi_minor;
  /* The number of an op's name; equal names get equal numbers for the life of the process. */
  uint32_t (*intern)(const char* name);
  void (*log)(int32_t level, const char* text); /* level 1: warning, 2: information */
} sr_host;

#define SR_ROLE_IN 0
#define SR_ROLE_OUT 1
#define SR_ROLE_INOUT 2

/* The bytes stay the same for many calls (a weight): a packed copy may be kept, keyed by memory and version.
 */
#define SR_TENSOR_STABLE 1u

/* One operand. dims and strides count elements; a stride of 0 repeats, a negative one runs backwards.
 * Element (i0, i1, ...) lies at byte offset + size * sum(i * stride) of `memory`. */
typedef struct sr_tensor {
  uint32_t struct_size;
  uint16_t role;
  uint16_t dtype;
  uint32_t rank;
  uint32_t flags;
  const int64_t* dims;
  const int64_t* strides;
  sr_memory memory;
  uint64_t offset;
  uint64_t version;  /* grows whenever an op writes into `memory` */
  const void* block; /* an sr_block; NULL for plain element types */
} sr_tensor;

#define SR_ATTR_I64 0
#define SR_ATTR_F64 1
#define SR_ATTR_LIST 2 /* i64 list */

/* One attribute of an op, in the order in which the op declares them (docs/ops.md). */
typedef struct sr_attr {
  uint32_t struct_size;
  uint32_t kind;
  int64_t i64; /* booleans and dtypes too */
  double f64;
  const int64_t* list;
  uint64_t list_size;
} sr_attr;

typedef struct sr_op {
  uint32_t struct_size;
  uint32_t op;      /* interned name */
  uint32_t version; /* of the op's meaning; 1 today */
  uint32_t tensor_count;
  const sr_tensor* tensors; /* inputs in order, then outputs; an inout stands among the inputs only */
  uint32_t attr_count;
  uint32_t reserved;
  const sr_attr* attrs;
} sr_op;

#define SR_SUPPORT_NO 0
#define SR_SUPPORT_NATIVE 1
/* Ask again with row-major inputs: the host copies those that are strided. When the answer is the same
 * although all are row-major, it copies those whose offset is not 0; a fresh allocation has the device's
 * alignment. */
#define SR_SUPPORT_NEEDS_CONTIGUOUS 2

typedef struct sr_support {
  uint32_t struct_size;
  uint32_t level;
  sr_plan
      plan; /* valid when NATIVE; for op_run of calls with equal dtypes, dims, strides, offsets, attributes */
  uint64_t workspace;    /* bytes of scratch that op_run wants; the host provides them */
  uint32_t accumulation; /* dtype in which sums are kept: results are judged by it */
  uint32_t reserved;
  const char* reason; /* why NO, or the kernel's name when NATIVE; static */
} sr_support;

typedef struct sr_device_options {
  uint32_t struct_size;
  uint32_t threads;      /* 0: the chip decides */
  uint64_t memory_limit; /* bytes; 0: no limit */
} sr_device_options;

typedef struct sr_device_info {
  uint32_t struct_size;
  uint32_t host_addressable; /* 1: memory_pointer works and the host may read and write there */
  uint64_t alignment;        /* of every allocation, bytes */
  uint64_t memory_total;     /* bytes; 0: unknown */
  char name[64];
  uint32_t
      concurrent_stream; /* 1: one stream takes calls from several threads at once; 0: the host takes turns */
  uint32_t reserved;
  double bandwidth;      /* of the device's memory, bytes a second; 0: unknown */
  double peak_flops[16]; /* multiplications and additions a second, by dtype number; 0: unknown or none */
} sr_device_info;

/* The table of a chip: static, the same at every call. The first thirteen functions are required; NULL
 * elsewhere means absent. */
typedef struct sr_backend {
  uint32_t struct_size;
  uint32_t abi_minor;
  const char* kind;    /* "cpu", "cuda", "npu": lower case; stands before the colon in --device cpu:0 */
  const char* version; /* of the plug-in, for people */

  uint32_t (*device_count)(void);
  /* May be called more than once; each success has its own device_close. */
  sr_status (*device_open)(uint32_t index, const sr_device_options* options, sr_device* out);
  void (*device_close)(sr_device device); /* waits for the queues, then frees what is left of the device */
  sr_status (*device_info)(sr_device device, sr_device_info* out);

  sr_status (*mem_alloc)(sr_device device, uint64_t bytes, sr_memory* out); /* 0 bytes: a handle of its own */
  void (*mem_free)(sr_device device, sr_memory memory);
  /* Copies bytes, ordered in the stream. A NULL memory means that the host pointer beside it is used; then
   * the call first waits for all work queued so far, and returns when the host's bytes may be touched again.
   * Past the end of an allocation: SR_ERROR_INVALID. */
  sr_status (*copy)(sr_stream stream, sr_memory to, uint64_t to_offset, void* to_host, sr_memory from,
                    uint64_t from_offset, const void* from_host, uint64_t bytes);

  sr_status (*stream_create)(sr_device device, sr_stream* out);
  void (*stream_destroy)(sr_stream stream);
  sr_status (*stream_sync)(sr_stream stream); /* waits for all work queued so far */

  /* How the chip would run `op`: outputs have no memory yet. An unknown op: SR_OK with SR_SUPPORT_NO. */
  sr_status (*op_query)(sr_device device, const sr_op* op, sr_support* out);
  /* Queues the op. `workspace` has at least sr_support.workspace bytes, or is NULL when that was 0. */
  sr_status (*op_run)(sr_stream stream, sr_plan plan, const sr_op* op, sr_memory workspace);
  const char* (*last_error)(void);

  /* Optional. */
  void* (*memory_pointer)(sr_memory memory); /* host address of host-addressable memory */
  /* For tables and documents: the i-th kernel's op and name; returns 0 past the end. */
  int32_t (*kernel_at)(uint32_t index, const char** op, const char** name);
} sr_backend;

/* The one exported symbol: NULL when the plug-in cannot work with this host. */
typedef const sr_backend* (*sr_plugin_entry_v1)(const sr_host* host);

#ifdef __cplusplus
}
#endif
#endif
