#!/bin/sh
# Trains the shipped models from nothing: tools/train_default.sh [DIR]   (default: default-models)
# Fetches the corpus, trains the 22.05 kHz model, then the 16 kHz model from it, then their postnets. Needs a build (tools/demo.sh makes one)
# and ffmpeg. DIR can be given again: what is done is not done again, and an interrupted run goes on.
set -eu
cd "$(dirname "$0")/.."
out=${1:-default-models}
lull=${LULL:-build/lull}
licence='CC-BY-SA-3.0 AND CC-BY-3.0'
[ -x "$lull" ] || { echo "train_default.sh: $lull is missing: run tools/demo.sh first, or set LULL" >&2; exit 1; }

[ -d "$out/corpus/train" ] || sh tools/corpus.sh "$out/corpus"

# train NAME OPTION...: a new run, or the rest of an old one.
train() {
    name=$1
    shift
    if [ -f "$out/$name/config.json" ]; then
        "$lull" train --resume "$out/$name"
    else
        "$lull" train "$out/corpus/train" --valid "$out/corpus/valid" -o "$out/$name" --name "lull-speech-$name" \
            --set "licence=\"$licence\"" "$@"
    fi
}

# As the shipped models came about (docs/training.md): AdamW first, then Muon with times from the start. The settings of
# synthesis belong to each rate.
train 22k-adamw --optimizer adamw --rate 2e-3 --max-steps 20559
train 22k --init "$out/22k-adamw/model.safetensors" --rate 4e-3 --warm-up 100 --crop-frames 48 --degrade 0.4 --t-density start \
    --ema 0.999 --max-steps 12452
train 16k --init "$out/22k/model.safetensors" --sample-rate 16000 --rate 3e-3 --warm-up 100 --crop-frames 40 --degrade 0.4 \
    --t-density start --ema 0.999 --max-steps 3056
# A postnet for each: what acoustic models blur.
train 22k-postnet --part postnet --init "$out/22k/model.safetensors" --set network.postnet.look_ahead=1 --max-steps 19537
train 16k-postnet --part postnet --init "$out/16k/model.safetensors" --max-steps 13648 \
    --set synthesis.refine=32 --set synthesis.refine_window=2 --set synthesis.low_latency.refine_window=0 \
    --set synthesis.offline.steps=6
# What tells the pitch, for the 22.05 kHz model (the shipped one heard more voices: models/README.md).
train 22k-pitch --part pitch --init "$out/22k-postnet/model.safetensors" --set network.pitch.look_ahead=1 --max-steps 11683
echo "models: $out/22k-pitch/model.safetensors $out/16k-postnet/model.safetensors"
