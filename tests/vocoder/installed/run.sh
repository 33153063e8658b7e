#!/bin/sh
# Installs the library into a temporary folder and builds a C and a C++ program against it, shared and static.
# run.sh BUILD SOURCE CC CXX
set -eu
build=$1 source=$2 cc=$3 cxx=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$source/tests/vocoder/installed
model=$source/models/lull-bootstrap-16k.safetensors

# Without rebuilding: a test must not start the build that runs it.
meson install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/install.log" 2>&1 || {
    cat "$work/install.log"
    exit 1
}
pc=$(find "$work/root" -name lull.pc)
[ -n "$pc" ] || { echo "lull.pc was not installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs lull)
lib=$(dirname "$(find "$work/root" -name liblull.so | head -n 1)")
strict="-Wall -Wextra -Wpedantic -Werror"

$cc -std=c11 $strict "$here/synth.c" -o "$work/synth" $flags -L"$lib" -lm
LD_LIBRARY_PATH=$lib "$work/synth" "$model"
$cxx -std=c++11 $strict "$here/copy.cpp" -o "$work/copy" $flags -L"$lib"
LD_LIBRARY_PATH=$lib "$work/copy" "$model"

# It brings along the mathematics, threads and a Fourier transform, and nothing else.
for name in $(pkg-config --libs-only-l lull) $(pkg-config --static --libs-only-l lull); do
    case $name in
    -llull | -lm | -lpthread | -lfftw3f | -lfftw3f_threads | -ldl) ;;
    *) echo "pkg-config names $name"; exit 1 ;;
    esac
done
needed=$(readelf -d "$lib/liblull.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for name in $needed; do
    case $name in
    libc.so.* | libm.so.* | ld-linux* | libfftw3f.so.* | libfftw3f_threads.so.*) ;;
    *) echo "liblull.so needs $name"; exit 1 ;;
    esac
done

# The static library, with the libraries that it needs as the system has them.
rm -f "$lib"/liblull.so*
flags=$(pkg-config --static --cflags --libs lull)
$cc -std=c11 $strict "$here/synth.c" -o "$work/synth-static" $flags -L"$lib"
"$work/synth-static" "$model" >"$work/alone"

# The same in a program that has functions of its own by the names of all that is inside, today and formerly.
{
    sed '/^#/d' "$here/former_names"
    nm --defined-only -g "$build/src/vocoder/liblull-whole.a" | awk 'NF == 3 { print $3 }' | grep -v '^lull_'
} | sort -u >"$work/names"
[ "$(wc -l <"$work/names")" -gt 200 ] || { echo "no names to try"; exit 1; }
{
    echo '#include <stdio.h>'
    echo '#include <stdlib.h>'
    sed 's/.*/void &(void);\nvoid &(void) { fputs("the library called &\\n", stderr); abort(); }/' "$work/names"
} >"$work/names.c"
$cc -fno-builtin -w -c "$work/names.c" -o "$work/names.o"
$cc -std=c11 $strict "$here/synth.c" "$work/names.o" -o "$work/synth-names" $flags -L"$lib"
"$work/synth-names" "$model" >"$work/beside"
diff "$work/alone" "$work/beside"
