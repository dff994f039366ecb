#!/bin/sh
# How cel was trained, the network that hayao, shinkai and paprika colour: runs/train_cel.sh PHOTOS MODELS RUNS
# PHOTOS: openly licensed ones (docs/cards/photos.tsv lists them). MODELS: a folder with realesrgan_x4plus_anime.onnx
# (BSD-3-Clause). Nothing else goes in. TINY=1 runs all of it in a minute, with too little of everything to be pretty.
set -eu
photos=$1
models=$2
runs=$3

full() { # a number of the whole run, or with TINY a tiny one
    if [ "${TINY:-}" ]; then echo "$2"; else echo "$1"; fi
}

train() {
    run=$1
    shift
    photo2anime distill --photos "$runs/pairs/photo" --targets "$runs/pairs/cel" --style cel --run "$runs/$run" \
        --hold-out "${HELD_OUT:-}" --hidden 128 --fine-blocks 3 --low-blocks 5 --own-colors 0.75 --hue-jitter 0.3 \
        --conditional --scales 2 --crop-px "$(full 144 64)" --batch-size "$(full 4 1)" --pixel 5 --gradient 3 --perceptual 1.5 "$@"
}

python scripts/make_pairs.py cel "$photos" --models "$models" --out "$runs/pairs" --crop-px "$(full 512 96)" --count "$(full 9999 2)"

train cel-a --steps "$(full 3400 4)" --warmup-steps "$(full 500 2)" --lr 0.01 --adversarial 0.25 --line 2
train cel-b --from "$runs/cel-a" --steps "$(full 1800 4)" --warmup-steps 2 --lr 0.008 --adversarial 0.35 --line 2.5 --seed 2
train cel --from "$runs/cel-b" --steps "$(full 300 4)" --warmup-steps 2 --lr 0.004 --adversarial 0.35 --line 2.5 --seed 3 \
    --features "$(full vgg16 mobilenetv2)"
photo2anime export "$runs/cel" --int8 examples --license "Apache-2.0: any use, commercial too"
