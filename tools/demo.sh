#!/bin/sh
# From nothing to speech: installs what is missing, builds lull, synthesizes audio_samples/*.npy: sh tools/demo.sh
set -eu
cd "$(dirname "$0")/.."
build='build'
out=$build/demo
export LC_ALL=C.UTF-8

sh tools/setup.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "tools/demo.sh: failed: $*" >&2
        exit 1
    }
}

# An old build folder may come from another version of Meson or of this project: then a new one.
echo "Building into $build/" >&2
if [ ! -f "$build/build.ninja" ] || ! meson setup --reconfigure "$build" --buildtype=release >"$log" 2>&1; then
    rm -rf "$build"
    quietly meson setup "$build" --buildtype=release
fi
quietly ninja -C "$build" lull

mkdir -p "$out"
count=0
for mel in audio_samples/*.npy; do
    [ -f "$mel" ] || break
    name=$(basename "$mel" .npy)
    # The program says where the file is and how many times faster than real time it was made.
    "$build/lull" synth "$mel" -o "$out/$name.wav"
    count=$((count + 1))
done
if [ "$count" = 0 ]; then
    echo "tools/demo.sh: no spectrograms in audio_samples/" >&2
    exit 1
fi
echo "$count recordings are in $out/: listen to them."
