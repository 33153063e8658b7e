#!/bin/sh
# More voices out of few: tools/speeds.sh IN OUT [RATE]   (default: 22050 Hz)
# Writes every recording of IN to OUT as FLAC, as it is and twice more, slower and faster by amounts that its name decides (0.78 to 0.93,
# 1.08 to 1.28), which moves pitch and formants together. Needs ffmpeg. What is there already is not made again.
set -eu
[ $# -ge 2 ] || { echo "usage: tools/speeds.sh IN OUT [RATE]" >&2; exit 2; }
in=${1%/} out=${2%/} rate=${3:-22050}
find "$in" -type f \( -name '*.wav' -o -name '*.flac' -o -name '*.ogg' \) | sort | while read -r file; do
    name=${file#"$in"/}
    name=${name%.*}
    mkdir -p "$out/$(dirname "$name")"
    hash=$(printf %s "$name" | cksum | cut -d' ' -f1)
    for speed in 100 $((78 + hash % 16)) $((108 + hash / 16 % 21)); do
        to=$out/$name-$speed.flac
        [ -f "$to" ] || ffmpeg -nostdin -v error -i "$file" -ac 1 -af "aresample=48000,asetrate=48000*$speed/100,aresample=$rate" \
            -sample_fmt s16 -f flac "$to.part"
        [ -f "$to" ] || mv "$to.part" "$to"
    done
done
