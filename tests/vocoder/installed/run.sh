#!/bin/sh
# Installs the library into a temporary folder and builds a C and a C++ program against it, shared and static.
# run.sh BUILD SOURCE CC CXX
set -eu
build=$1 source=$2 cc=$3 cxx=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$source/tests/vocoder/installed
model=$source/models/lull-speech-16k.safetensors

# Without rebuilding: a test must not start the build that runs it.
meson install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/install.log" 2>&1 || {
    cat "$work/install.log"
    exit 1
}
pc=$(find "$work/root" -name lull.pc)
[ -n "$pc" ] || { echo "lull.pc was not installed"; exit 1; }
export PKG_CONFIG_PATH="$(dirname "$pc")" PKG_CONFIG_SYSROOT_DIR="$work/root"
# Our paths get the folder in front, the system's must not.
strip() { sed "s#$work/root/usr/include#/usr/include#g; s#$work/root/usr/lib#/usr/lib#g"; }
flags=$(pkg-config --cflags --libs lull | strip)
lib=$(dirname "$(find "$work/root" -name liblull.so | head -n 1)")
strict="-Wall -Wextra -Wpedantic -Werror"

$cc -std=c11 $strict "$here/synth.c" -o "$work/synth" $flags -L"$lib" -lm
LD_LIBRARY_PATH=$lib "$work/synth" "$model"
$cxx -std=c++11 $strict "$here/copy.cpp" -o "$work/copy" $flags -L"$lib"
LD_LIBRARY_PATH=$lib "$work/copy" "$model"

# Only what lull.h declares is visible.
nm -D --defined-only "$lib/liblull.so" | awk '{ print $3 }' | sed 's/@.*//' | sort >"$work/visible"
grep -v '^lull_' "$work/visible" && { echo "these symbols should not be visible"; exit 1; }
sed -n 's/^LULL_API.*[ *]\(lull_[a-z_]*\)(.*/\1/p' "$source/include/lull.h" | sort >"$work/declared"
diff "$work/declared" "$work/visible"

# The static library, with the libraries that it needs as the system has them.
rm -f "$lib"/liblull.so*
needs=$(pkg-config --libs sndfile soxr fftw3f openblas libpng)
$cc -std=c11 $strict "$here/synth.c" -o "$work/synth-static" $flags -L"$lib" $needs -lm -lpthread
"$work/synth-static" "$model"
