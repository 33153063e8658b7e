#!/bin/sh
# More voices out of few: tools/speeds.sh IN OUT [RATE]   (default: 22050 Hz)
# Writes every recording of IN to OUT as FLAC, as it is and twice more, slower and faster by amounts that its name decides (0.78 to 0.93,
# 1.08 to 1.28), which moves pitch and formants together. Needs ffmpeg. What is there already is not made again; what ffmpeg cannot read
# is named and left out.
set -eu
[ $# -ge 2 ] || { echo "usage: tools/speeds.sh IN OUT [RATE]" >&2; exit 2; }
in=${1%/} out=${2%/} rate=${3:-22050}
command -v ffmpeg >/dev/null || { echo "speeds.sh: ffmpeg is missing: install it (Debian: apt-get install ffmpeg)" >&2; exit 1; }
[ -d "$in" ] || { echo "speeds.sh: $in is not a folder" >&2; exit 1; }
mkdir -p "$out"
find -L "$in" -type f | grep -Ei '\.(wav|flac|ogg|oga|opus|mp3|aif|aiff|aifc|au|caf|w64|rf64)$' | sort | while read -r file; do
    name=${file#"$in"/}
    mkdir -p "$out/$(dirname "$name")"
    hash=$(printf %s "${name%.*}" | cksum | cut -d' ' -f1)
    for speed in 100 $((78 + hash % 16)) $((108 + hash / 16 % 21)); do
        to=$out/$name-$speed.flac
        [ -f "$to" ] && continue
        if ! ffmpeg -nostdin -v error -y -i "$file" -ac 1 -af "aresample=48000,asetrate=48000*$speed/100,aresample=$rate" \
            -sample_fmt s16 -f flac "$to.part"; then
            rm -f "$to.part"
            echo "speeds.sh: $file: ffmpeg cannot read it; left out" >&2
            break
        fi
        mv "$to.part" "$to"
    done
done
[ -n "$(find "$out" -name '*.flac' | head -n 1)" ] || { echo "speeds.sh: $in: no recording in it (WAV, FLAC, Ogg, MP3 or the like)" >&2; exit 1; }
