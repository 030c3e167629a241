/* The chip interface is C11: this file only has to compile. */
#include "backends/abi/suiren_backend.h"

_Static_assert(sizeof(sr_tensor) == 64, "as in C++");
_Static_assert(sizeof(sr_backend) == 144, "as in C++");

int suiren_header_is_c(const sr_backend* table) { return table->struct_size == sizeof *table; }
