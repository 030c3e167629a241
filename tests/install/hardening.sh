#!/bin/bash
# hardening.sh FILE...: row C2 for programs and shared libraries: position independent, full RELRO, no executable
# stack, stack protector, FORTIFY, and the landing pads of Intel CET on x86-64. (The linker marks a program as CET only
# when every object is, and Debian's start files crt1.o and crti.o are not: the mark is looked at in our own objects.)
set -euo pipefail
status=0
for file in "$@"; do
  missing=()
  header=$(readelf -hW "$file") segments=$(readelf -lW "$file") dynamic=$(readelf -dW "$file")
  symbols=$(readelf --dyn-syms -W "$file")
  grep -q 'Type: *DYN' <<<"$header" || missing+=("position independence")
  grep -q 'GNU_RELRO' <<<"$segments" || missing+=("RELRO")
  grep -qE 'BIND_NOW|FLAGS.*NOW' <<<"$dynamic" || missing+=("binding at start (full RELRO)")
  grep -qE 'GNU_STACK.* RW +0x' <<<"$segments" || missing+=("a stack that is not executable")
  grep -qE 'LOAD.* RWE ' <<<"$segments" && missing+=("memory that is not writable and executable at once")
  grep -q 'TEXTREL' <<<"$dynamic" && missing+=("code without relocations")
  grep -q '__stack_chk_fail' <<<"$symbols" || missing+=("the stack protector")
  grep -qE '__(memcpy|vsnprintf|snprintf|read|memset|memmove)_chk' <<<"$symbols" || missing+=("FORTIFY")
  if grep -q 'X86-64' <<<"$header"; then
    pads=$(LC_ALL=C grep -aoP '\xf3\x0f\x1e\xfa' "$file" | wc -l || true)  # endbr64
    ((pads > 1000)) || missing+=("Intel CET (it has $pads landing pads)")
  fi
  if ((${#missing[@]})); then
    printf '%s lacks: %s\n' "$file" "$(IFS=,; echo "${missing[*]}")" >&2
    status=1
  else
    echo "$file: hardened"
  fi
done
exit "$status"
