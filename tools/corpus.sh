#!/bin/sh
# A speech corpus to train on: the recorded prompts of Debian's asterisk-core-sounds packages, five professional voices
# (about two hours), as WAV files.
usage='usage: tools/corpus.sh [-r HZ] FOLDER [LANGUAGE...]

Writes FOLDER/train/LANGUAGE/*.wav and FOLDER/valid/LANGUAGE/*.wav: mono, 16 bit, 16000 Hz unless -r says otherwise
(the recordings hold nothing above 8 kHz). LANGUAGE: en es fr it ru; all of them when none is given. The MD5 of a
file name modulo 20 decides its side: 1 is valid, 0 is kept out of both for final measurements, the rest is train.
Needs apt-get, dpkg, md5sum, awk and ffmpeg on Debian or a relative of it; nothing is installed. The licence of each
package (CC-BY-SA-3.0 or the like) is left in FOLDER/copyright.'
set -eu

fail() {
    echo "corpus.sh: $1" >&2
    exit "${2:-1}"
}

rate=16000
while getopts hr: option; do
    case $option in
    h) echo "$usage"; exit 0 ;;
    r) rate=$OPTARG ;;
    *) echo "$usage" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
case $rate in '' | *[!0-9]*) fail "'$rate' is not a sample rate" 2 ;; esac
[ "$rate" -ge 8000 ] && [ "$rate" -le 48000 ] || fail "a sample rate of $rate: 8000 to 48000 make sense" 2
[ $# -ge 1 ] || { echo "$usage" >&2; exit 2; }
folder=$1
shift
[ $# -gt 0 ] || set -- en es fr it ru
for language; do
    case $language in en | es | fr | it | ru) ;; *) fail "no language '$language': en es fr it ru are there" 2 ;; esac
done
for program in apt-get dpkg md5sum ffmpeg awk xargs; do
    command -v "$program" >/dev/null || fail "$program is missing (apt-get install ffmpeg, on Debian)"
done

mkdir -p "$folder/copyright"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
[ "$(id -u)" -ne 0 ] || chown _apt "$work" 2>/dev/null || true # as whom apt-get downloads when root calls it

# What a batch does, for pairs of a recording and its file: those that are missing, in one ffmpeg. An unfinished file
# never has its final name: a second run completes what the first one left.
cat >"$work/convert" <<'END'
inputs='' outputs='' names='' number=0 at=1
while [ "$at" -lt $# ]; do
    to=$((at + 1))
    if eval "[ ! -e \"\${$to}\" ]"; then
        inputs="$inputs -f g722 -i \"\${$at}\""
        outputs="$outputs -map $number:a -ar $RATE -ac 1 -c:a pcm_s16le -f wav \"\${$to}.part\""
        names="$names $to"
        number=$((number + 1))
    fi
    at=$((at + 2))
done
if [ "$number" -gt 0 ]; then
    eval "ffmpeg -nostdin -v error -y $inputs $outputs" || exit 255
    for to in $names; do eval "mv \"\${$to}.part\" \"\${$to}\"" || exit 255; done
fi
echo $(($# / 2)) >>"$DONE"
printf '\r%s: %d of %d recordings' "$LANGUAGE" "$(awk '{ n += $1 } END { print n }' "$DONE")" "$TOTAL" >&2
END

for language; do
    package=asterisk-core-sounds-$language-g722
    echo "$package: downloading" >&2
    (cd "$work" && apt-get -qq download "$package") || fail "$package could not be downloaded (apt-get update?)"
    dpkg -x "$work/$package"_*.deb "$work/$language"
    cp "$work/$language/usr/share/doc/$package/copyright" "$folder/copyright/$language.txt" 2>/dev/null || true
    mkdir -p "$folder/train/$language" "$folder/valid/$language"
    # The names' hashes from one md5sum: each name is a file, whose own name is its line's number.
    find "$work/$language" -name '*.g722' | LC_ALL=C sort >"$work/recordings"
    sed 's,.*/sounds/,,; s,/,_,g; s,\.g722$,.wav,' "$work/recordings" >"$work/wav"
    rm -rf "$work/names"
    mkdir "$work/names"
    awk -v folder="$work/names" '{ file = folder "/" NR; printf "%s", $0 >file; close(file) }' "$work/wav"
    (cd "$work/names" && find . -type f -exec md5sum {} +) >"$work/hashes"
    awk -v folder="$folder" -v language="$language" '
        FILENAME == ARGV[1] {
            rest = 0
            for (i = 1; i <= 15; i++) rest = (rest * 16 + index("0123456789abcdef", substr($1, i, 1)) - 1) % 20
            sub(/.*\//, "", $2)
            side[$2] = rest == 0 ? "" : rest == 1 ? "valid" : "train"
            next
        }
        FILENAME == ARGV[2] { wav[FNR] = $0; next }
        side[FNR] != "" { print $0; print folder "/" side[FNR] "/" language "/" wav[FNR] }
        ' "$work/hashes" "$work/wav" "$work/recordings" >"$work/list"
    : >"$work/done"
    TOTAL=$(($(wc -l <"$work/list") / 2)) DONE=$work/done LANGUAGE=$language RATE=$rate \
        xargs -d '\n' -n 100 -P "$(nproc)" sh "$work/convert" <"$work/list" ||
        fail "$package: a recording could not be converted"
    printf '\r%s: %d train, %d valid          \n' "$language" "$(ls "$folder/train/$language" | wc -l)" \
        "$(ls "$folder/valid/$language" | wc -l)" >&2
done
