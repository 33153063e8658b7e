#!/bin/sh
# Trains a model of the shipped kind on your recordings: tools/train_model.sh RECORDINGS OUT [VALID]
# Denoiser, postnet, pitch and spectrum network, one after the other: OUT/model.safetensors. RECORDINGS is a folder of audio files;
# VALID one of others to validate on (without it one in 33 of RECORDINGS is kept back, of fewer than 8 none). Needs a build (tools/demo.sh makes one)
# and ffmpeg. Takes a few hours; OUT can be given again: what is done is not done again, and an interrupted run goes on.
#   NAME=…     of the model (default: my-voice)
#   LICENCE=…  of the weights, an SPDX expression
#   PAIRS=1    trains the postnet on what a bottleneck smooths over, too (tools/bottleneck_pairs.py; needs PyTorch)
#   STEPS=…    percent of the usual steps (default: 100)
#   ACCEPT=1   goes on although RECORDINGS have changed
set -eu
[ $# -ge 2 ] || { sed -n '2,10s/^# //p' "$0" >&2; exit 2; }
recordings=${1%/} out=${2%/} valid=${3:-}
root=$(dirname "$0")/..
lull=${LULL:-$root/build/lull}
[ -x "$lull" ] || { echo "train_model.sh: $lull is missing: run tools/demo.sh first, or set LULL" >&2; exit 1; }
[ -d "$recordings" ] || { echo "train_model.sh: $recordings is not a folder" >&2; exit 1; }
name=${NAME:-my-voice} percent=${STEPS:-100}
mkdir -p "$out"
begun=$(cat "$out/steps" 2>/dev/null || echo "$percent")
[ "$begun" = "$percent" ] || {
    echo "train_model.sh: $out was begun with STEPS=$begun: say the same, or give another folder for STEPS=$percent" >&2
    exit 1
}
echo "$percent" >"$out/steps"

# Kept back by name, before there are copies of other speeds: what is validated on was not heard in any.
if [ -z "$valid" ]; then
    rm -rf "$out/split"
    mkdir -p "$out/split/train" "$out/split/valid"
    absolute=$(cd "$recordings" && pwd)
    find -L "$absolute" -type f | sort | while read -r file; do
        name=${file#"$absolute"/}
        side=train
        [ $(($(printf %s "$name" | cksum | cut -d' ' -f1) % 33)) -ne 0 ] || side=valid
        mkdir -p "$out/split/$side/$(dirname "$name")"
        ln -s "$file" "$out/split/$side/$name"
    done
    recordings=$out/split/train
    if [ -z "$(find "$out/split/valid" -type l)" ] && [ "$(find "$recordings" -type l | wc -l)" -ge 8 ]; then
        file=$(find "$recordings" -type l | sort | tail -n 1)
        mv "$file" "$out/split/valid/"
    fi
    # Of a handful every one is needed.
    [ -z "$(find "$out/split/valid" -type l)" ] || valid=$out/split/valid
fi
sh "$root/tools/speeds.sh" "$recordings" "$out/speeds"

# train PART STEPS OPTION...: a new run, or the rest of an old one.
train() {
    part=$1 steps=$(($2 * percent / 100 + 1)) with=$valid
    shift 2
    [ "$part" != pairs ] || with= # pairs are held back of their own
    if [ -f "$out/$part/config.json" ]; then
        "$lull" train --resume "$out/$part" ${ACCEPT:+--accept-changes}
    else
        "$lull" train "$@" ${with:+--valid "$with"} -o "$out/$part" --max-steps "$steps" --name "$name" ${LICENCE:+--set "licence=\"$LICENCE\""}
    fi
}

# The denoiser (docs/training.md). Above the crossover the signal is the pitch source's, so the denoiser learns what lies below 1.5 kHz alone,
# in large patches.
train denoiser 11372 "$out/speeds" --channels 48 --set network.layers=6 --set network.patch=128 --set 'network.dilations=[1,2,4,8,1,2]' \
    --set 'network.look_ahead=[1,0,0,0,0,0]' --set network.below_hz=1500 --batch 16 --crop-frames 48 --degrade 0.3 --t-density start --ema 0.999
# What acoustic models blur, and what tells the pitch.
train postnet 5129 "$recordings" --part postnet --init "$out/denoiser/model.safetensors"
last=postnet
if [ -n "${PAIRS:-}" ]; then
    [ -f "$out/bottleneck/pairs.txt" ] || python3 "$root/tools/bottleneck_pairs.py" "$recordings" "$out/bottleneck"
    train pairs 2500 --pairs "$out/bottleneck/pairs.txt" --part postnet --init "$out/postnet/model.safetensors" --rate 1e-3 --degrade 0.667
    last=pairs
fi
train pitch 11683 "$recordings" --part pitch --init "$out/$last/model.safetensors" --set network.pitch.look_ahead=1 \
    --set synthesis.source.crossover_hz=1200 --set synthesis.full_bandwidth=true --set synthesis.refine=2 --set synthesis.refine_low=16 \
    --set synthesis.refine_window=3 --set synthesis.refine_momentum=0.9 --set synthesis.low_latency.refine=2 --set synthesis.low_latency.refine_low=20 \
    --set synthesis.low_latency.refine_momentum=0.7 --set synthesis.offline.refine=2 --set synthesis.offline.refine_low=16 \
    --set synthesis.offline.refine_window=9 --set synthesis.source.aperiodicity_power.live=1.3 \
    --set synthesis.source.aperiodicity_power.low_latency=1.2 --set synthesis.source.aperiodicity_power.offline=1.7
# What guides refinement.
train spectrum 16000 "$recordings" --part spectrum --init "$out/pitch/model.safetensors"

cp "$out/spectrum/model.safetensors" "$out/model.safetensors"
echo "model: $out/model.safetensors"
