#!/bin/sh
# Draws README.md's picture anew, for another model: sh tools/make_pictures.sh [LULL [MODEL]]
# LULL: the program (default build/lull); MODEL: default the one that the program takes by itself.
set -eu
cd "$(dirname "$0")/.."
lull=${1:-build/lull}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -lt 2 ] || export LULL_MODEL="$2"
"$lull" mel --quiet audio_samples/weasels.wav -o "$work/mel.npy"
"$lull" synth --quiet "$work/mel.npy" -o "$work/weasels.wav"
"$lull" plot --quiet --max-hz 8000 --stack "$work/mel.npy" "$work/weasels.wav" -o docs/mel-to-speech.png
