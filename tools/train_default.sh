#!/bin/sh
# Trains the shipped model from nothing: tools/train_default.sh [DIR]   (default: default-models)
# Fetches the corpus (the shipped model heard more voices: models/README.md) and hands it to tools/train_model.sh. Needs a build
# (tools/demo.sh makes one), ffmpeg, and PyTorch for the pairs of tools/bottleneck_pairs.py.
# DIR can be given again: what is done is not done again, and an interrupted run goes on.
set -eu
cd "$(dirname "$0")/.."
out=${1:-default-models}
[ -d "$out/corpus/train" ] || sh tools/corpus.sh "$out/corpus"
NAME=lull-speech-22k LICENCE='CC-BY-SA-3.0 AND CC-BY-3.0' PAIRS=1 sh tools/train_model.sh "$out/corpus/train" "$out/22k" "$out/corpus/valid"
