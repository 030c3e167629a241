# Shared by ./run, ./test and .ci/run: Debian packages, and the one build tree build/release. Source it from the root.

PRODUCT_PACKAGES=(g++ cmake ninja-build pkg-config libfmt-dev nlohmann-json3-dev libcli11-dev libyaml-cpp-dev libpcre2-dev
  libzstd-dev zlib1g-dev libhwy-dev libssl-dev libedit-dev)
TEST_PACKAGES=(libgtest-dev python3 dataset-fashion-mnist)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed* ]]; }  # a word for each architecture

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2; }

# need PACKAGE...: installs those that are absent; touches nothing when all are there.
need() {
  local missing=() package lists
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  lists=(/var/lib/apt/lists/*Packages*)
  if [[ -e ${lists[0]} ]]; then
    apt_get install -y --no-install-recommends "${missing[@]}" && return 0
  fi
  # No package lists, or old ones.
  apt_get update && apt_get install -y --no-install-recommends "${missing[@]}" && return 0
  say "could not install them; as root:  apt-get install ${missing[*]}"
  return 1
}

# build [TARGET...] with the settings in CONFIGURE: the tree (BUILD) keeps its objects between ./run and ./test.
build() {
  local folder=${BUILD:-build/release}
  say "building $folder ($(nproc) jobs)"
  cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release "${CONFIGURE[@]}" --log-level=WARNING >&2
  cmake --build "$folder" -j "$(nproc)" ${1:+--target "$@"} >&2
}
