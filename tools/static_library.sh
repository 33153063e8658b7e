#!/bin/sh
# Makes liblull.a: one object of all parts, in which only lull.h's functions can be seen, so that a program may have
# functions of its own by any other name. What those functions do not reach is left out.
# static_library.sh OUT.a LULL.H WHOLE.a LD OBJCOPY AR
set -eu
out=$1 header=$2 whole=$3 ld=$4 objcopy=$5 ar=$6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^LULL_API.*[ *]\(lull_[a-z0-9_]*\)(.*/\1/p' "$header" >"$work/names"
roots=$(sed 's/^/-u /' "$work/names")
# shellcheck disable=SC2086
"$ld" -r --gc-sections $roots --whole-archive "$whole" -o "$work/lull.o"
"$objcopy" --keep-global-symbols="$work/names" "$work/lull.o"
rm -f "$out"
"$ar" rcsD "$out" "$work/lull.o"
