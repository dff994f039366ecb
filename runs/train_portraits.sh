#!/bin/sh
# How the portrait network was trained: runs/train_portraits.sh FACES BACKGROUNDS MODELS RUNS
# FACES: square, aligned faces, here FFHQ 00000 to 00059 and generated ones; those from 00060 on are for measuring.
# BACKGROUNDS: photos. MODELS: a folder with the .onnx files that runs/looks.toml names. TINY=1 runs all of it in two
# minutes, with too little of everything to be pretty.
set -eu
faces=$1
backgrounds=$2
models=$3
runs=$4

full() { # a number of the whole run, or with TINY a tiny one
    if [ "${TINY:-}" ]; then echo "$2"; else echo "$1"; fi
}

train() {
    run=$1
    shift
    photo2anime distill --photos "$runs/pairs/photo" --targets "$runs/pairs/portrait" --style portrait --run "$runs/$run" \
        --width 64 --hidden 128 --fine-blocks 3 --low-blocks 5 --deep-blocks 3 --own-colors 0.85 --hue-jitter 0.04 \
        --conditional --scales 2 --crop-px "$(full 192 64)" --batch-size "$(full 4 1)" --pixel 6 --gradient 4 --perceptual 1.2 "$@"
}

python scripts/make_pairs.py portrait "$faces" --place "$backgrounds" --models "$models" --out "$runs/pairs" \
    --kept-px "$(full 416 128)" --variants "$(full 4 1)" --count "$(full 9999 2)"

# The shipped one began with 0.3.0's portrait-v1 and 3800 steps towards a look that moves eyes, given up (docs/log.md);
# here a film network of ours stands for that beginning.
train portrait-a --from hayao-v2 --steps "$(full 4000 4)" --warmup-steps "$(full 500 2)" --lr 0.01 --adversarial 0.25 --line 2
train portrait-b --from "$runs/portrait-a" --steps "$(full 2600 4)" --warmup-steps 2 --lr 0.008 --adversarial 0.35 --line 2.5 --seed 2
train portrait --from "$runs/portrait-b" --steps "$(full 340 4)" --warmup-steps 2 --lr 0.004 --adversarial 0.35 --line 2.5 --seed 3 \
    --features "$(full vgg16 mobilenetv2)"
photo2anime export "$runs/portrait" --license "non-commercial, after AnimeGANv3's published models"
