#!/bin/sh
# Builds liblull for another system and runs its tests there: sh tools/cross.sh musl|mingw [FOLDER]
# musl: another C library. mingw: Windows, under wine. Into FOLDER (build-musl, build-mingw). Ends with 77 where the tools
# are missing: sh tools/setup.sh cross.
set -eu
cd "$(dirname "$0")/.."
target=${1:?musl or mingw}
build=${2:-build-$target}
case $target in
musl) needed=musl-gcc ;;
mingw) needed="x86_64-w64-mingw32-gcc-posix wine" ;;
*) echo "usage: sh tools/cross.sh musl|mingw [FOLDER]" >&2; exit 2 ;;
esac
for program in $needed; do
    command -v "$program" >/dev/null || { echo "tools/cross.sh: no $program here" >&2; exit 77; }
done
# Wine keeps its Windows in a folder, and says much about the screens and sound that it does not have.
export WINEDEBUG=-all WINEPREFIX="${WINEPREFIX:-${TMPDIR:-/tmp}/lull-wine-$(id -u)}"
[ -f "$build/build.ninja" ] ||
    meson setup "$build" --cross-file "tools/cross/$target.ini" -Dprogram=false -Dfft=plain -Dwerror=true >/dev/null
ninja -k 0 -C "$build" >"$build/build.log" 2>&1 || {
    grep -v '^\[[0-9]*/[0-9]*\] \(Compiling\|Linking\|Generating\)' "$build/build.log"
    exit 1
}
run() { meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 4; }
# Now and then wine's server loses a program that starts; that says nothing of the program, which then gets another turn.
run || { grep -q '^wine client error' "$build/meson-logs/testlog.txt" && run; }
