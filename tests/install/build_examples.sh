#!/bin/bash
# build_examples.sh PREFIX BUILD [LAUNCHER]: builds examples/ out of tree against the library installed under PREFIX,
# and one of them by pkg-config and with the static library.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$1 build=$2 launcher=${3:-}
rm -rf "$build"
cmake -S examples -B "$build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" --log-level=WARNING
cmake --build "$build"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name suiren.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs suiren)"
$launcher g++ -O1 -c examples/autograd.cpp -o "$build/autograd.o" $(pkg-config --cflags suiren)
g++ "$build/autograd.o" "${flags[@]}" -Wl,-rpath,"$(dirname "$(find "$prefix" -name libsuiren.so)")" -o "$build/by_pkg_config"
"$build/by_pkg_config" >/dev/null

library=$(find "$prefix" -name libsuiren.a)
read -ra flags <<<"$(pkg-config --static --libs suiren)"
g++ "$build/autograd.o" "${flags[@]/#-lsuiren/$library}" -o "$build/static"
"$build/static" >/dev/null
