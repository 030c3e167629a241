#!/bin/bash
# install.sh BUILD PREFIX: installs a build tree under PREFIX and looks at what came out.
set -euo pipefail
build=$1 prefix=$2
rm -rf "$prefix"
cmake --install "$build" --prefix "$prefix" >/dev/null
library=$(find "$prefix" -name libsuiren.so)

fail() {
  echo "$*" >&2
  exit 1
}

# The shared library shows the namespace suiren and nothing of its chips, details or dependencies.
shown=$(nm -DC --defined-only "$library" | cut -d' ' -f3-)
grep -q '^suiren::softmax(' <<<"$shown" || fail "suiren::softmax is not exported"
stray=$(grep -vE '^((typeinfo( name)?|vtable) for )?suiren::' <<<"$shown" | grep -vE '^[^(]*\bsuiren::' || true)
[[ -z $stray ]] || fail "exported although not of suiren: $stray"
! grep -E 'suiren::cpu::|\(anonymous namespace\)' <<<"$shown" || fail "internals are exported"

"$prefix/bin/suiren" --version
"$(dirname "$0")/hardening.sh" "$prefix/bin/suiren" "$library"
object=$(find "$build/CMakeFiles" -name file.cpp.o -print -quit)
if [[ $(uname -m) == x86_64 && -n $object ]]; then
  readelf -nW "$object" | grep -qE 'x86 feature: .*IBT.*SHSTK' || fail "objects are not compiled for Intel CET"
fi
grep -rq 'find_dependency(fmt)' "$prefix" || fail "no package configuration"
