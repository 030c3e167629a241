# Parsers and what they stand on are instrumented; ops and kernels, which read no file, are not: ./test --sanitize runs
# those under the sanitizers.
set(flags -fsanitize=fuzzer-no-link)
if(SUIREN_FUZZ STREQUAL "plain")
  target_compile_options(suiren_flags INTERFACE -g1)
else()
  list(APPEND flags -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
  target_compile_options(suiren_flags INTERFACE -O1 -g1 -fno-omit-frame-pointer)
  target_link_options(suiren_flags INTERFACE -fsanitize=address,undefined)
endif()
foreach(flag ${flags})
  target_compile_options(suiren_flags INTERFACE "$<${parses}:${flag}>")
endforeach()
