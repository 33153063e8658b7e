#!/bin/sh
# Trains the shipped model from nothing: tools/train_default.sh [DIR]   (default: default-models)
# Fetches the corpus, trains the denoiser, the postnet, the pitch and the spectrum network. Needs a build (tools/demo.sh makes one), ffmpeg, and
# PyTorch for the pairs of tools/bottleneck_pairs.py.
# DIR can be given again: what is done is not done again, and an interrupted run goes on.
set -eu
cd "$(dirname "$0")/.."
out=${1:-default-models}
lull=${LULL:-build/lull}
licence='CC-BY-SA-3.0 AND CC-BY-3.0'
[ -x "$lull" ] || { echo "train_default.sh: $lull is missing: run tools/demo.sh first, or set LULL" >&2; exit 1; }

[ -d "$out/corpus/train" ] || sh tools/corpus.sh "$out/corpus"
sh tools/speeds.sh "$out/corpus/train" "$out/corpus/speeds"

# train NAME OPTION...: a new run, or the rest of an old one.
train() {
    name=$1
    shift
    if [ -f "$out/$name/config.json" ]; then
        "$lull" train --resume "$out/$name"
    else
        "$lull" train "$out/corpus/$corpus" --valid "$out/corpus/valid" -o "$out/$name" --name "lull-speech-$name" \
            --set "licence=\"$licence\"" "$@"
    fi
}

# The denoiser (docs/training.md; the shipped one heard more voices: models/README.md). Above the crossover the signal is the pitch source's, so the
# denoiser learns what lies below 1.5 kHz alone, in large patches.
corpus=speeds
train 22k-below --channels 48 --set network.layers=6 --set network.patch=128 --set 'network.dilations=[1,2,4,8,1,2]' --set 'network.look_ahead=[1,0,0,0,0,0]' --set network.below_hz=1500 \
    --batch 16 --crop-frames 48 --degrade 0.3 --t-density start --ema 0.999 --max-steps 11372
corpus=train
# What acoustic models blur, and what tells the pitch.
train 22k-blurred --part postnet --init "$out/22k-below/model.safetensors" --max-steps 5129
[ -f "$out/bottleneck/pairs.txt" ] || python3 tools/bottleneck_pairs.py "$out/corpus/train" "$out/bottleneck"
if [ -f "$out/22k-postnet/config.json" ]; then
    "$lull" train --resume "$out/22k-postnet"
else
    "$lull" train --pairs "$out/bottleneck/pairs.txt" --part postnet --init "$out/22k-blurred/model.safetensors" -o "$out/22k-postnet" --rate 1e-3 \
        --degrade 0.667 --max-steps 2500
fi
train 22k-pitch --part pitch --init "$out/22k-postnet/model.safetensors" --set network.pitch.look_ahead=1 --max-steps 11683 \
    --set synthesis.source.crossover_hz=1200 --set synthesis.full_bandwidth=true --set synthesis.refine=2 --set synthesis.refine_low=16 \
    --set synthesis.refine_window=3 --set synthesis.refine_momentum=0.9 --set synthesis.low_latency.refine=2 --set synthesis.low_latency.refine_low=20 \
    --set synthesis.low_latency.refine_momentum=0.7 --set synthesis.offline.refine=2 --set synthesis.offline.refine_low=16 \
    --set synthesis.offline.refine_window=9 --set synthesis.source.aperiodicity_power.live=1.3 \
    --set synthesis.source.aperiodicity_power.low_latency=1.2 --set synthesis.source.aperiodicity_power.offline=1.7
# What guides refinement.
train 22k --part spectrum --init "$out/22k-pitch/model.safetensors" --max-steps 16000

echo "model: $out/22k/model.safetensors"
