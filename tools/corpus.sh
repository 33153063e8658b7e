#!/bin/sh
# A speech corpus to train on: the recorded prompts of Debian's asterisk-core-sounds packages, five professional voices
# (about two hours), as WAV files.
usage='usage: tools/corpus.sh [-r HZ] FOLDER [LANGUAGE...]

Writes FOLDER/train/LANGUAGE/*.wav and FOLDER/valid/LANGUAGE/*.wav: mono, 16 bit, 16000 Hz unless -r says otherwise
(the recordings hold nothing above 8 kHz). LANGUAGE: en es fr it ru; all of them when none is given. The MD5 of a
file name modulo 20 decides its side: 1 is valid, 0 is kept out of both for final measurements, the rest is train.
Needs apt-get, dpkg, md5sum and ffmpeg on Debian or a relative of it; nothing is installed. The licence of each
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
for program in apt-get dpkg md5sum ffmpeg; do
    command -v "$program" >/dev/null || fail "$program is missing (apt-get install ffmpeg, on Debian)"
done

mkdir -p "$folder/copyright"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
[ "$(id -u)" -ne 0 ] || chown _apt "$work" 2>/dev/null || true # as whom apt-get downloads when root calls it

# Which side a file name falls on.
side() {
    digits=$(printf '%s' "$1" | md5sum | cut -c 1-15)
    case $((0x$digits % 20)) in 0) ;; 1) echo valid ;; *) echo train ;; esac
}

for language; do
    package=asterisk-core-sounds-$language-g722
    echo "$package: downloading" >&2
    (cd "$work" && apt-get -qq download "$package") || fail "$package could not be downloaded (apt-get update?)"
    dpkg -x "$work/$package"_*.deb "$work/$language"
    cp "$work/$language/usr/share/doc/$package/copyright" "$folder/copyright/$language.txt" 2>/dev/null || true
    mkdir -p "$folder/train/$language" "$folder/valid/$language"
    find "$work/$language" -name '*.g722' | LC_ALL=C sort | while IFS= read -r recording; do
        name=$(printf '%s' "${recording#*/sounds/}" | tr / _)
        name=${name%.g722}.wav
        where=$(side "$name")
        [ -z "$where" ] || printf '%s\n%s\n' "$recording" "$folder/$where/$language/$name"
    done >"$work/list"
    # An unfinished file never has its final name: a second run completes what the first one left.
    RATE=$rate xargs -n 2 -P "$(nproc)" sh -c '
        [ -e "$1" ] || { ffmpeg -nostdin -v error -y -f g722 -i "$0" -ar "$RATE" -ac 1 -c:a pcm_s16le -f wav "$1.part" &&
            mv "$1.part" "$1"; }' <"$work/list" || fail "$package: a recording could not be converted"
    echo "$language: $(ls "$folder/train/$language" | wc -l) train, $(ls "$folder/valid/$language" | wc -l) valid" >&2
done
