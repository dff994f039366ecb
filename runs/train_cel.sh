#!/bin/sh
# How cel was trained, the network that hayao, shinkai and paprika colour: runs/train_cel.sh PHOTOS MODELS RUNS
# PHOTOS: openly licensed ones (docs/cards/photos.tsv lists them). MODELS: a folder with realesrgan_x4plus_anime.onnx
# (BSD-3-Clause). Nothing else goes in. TINY=1 runs all of it in a minute, with too little of everything to be pretty.
set -eu
photos=$1
models=$2
runs=$3

steps() { # of a stage; a handful with TINY
    if [ "${TINY:-}" ]; then echo 4; else echo "$1"; fi
}

train() {
    run=$1
    shift
    photo2anime distill --photos "$runs/pairs/photo" --targets "$runs/pairs/cel" --style cel --run "$runs/$run" \
        --hold-out "${HELD_OUT:-}" --hidden 128 --fine-blocks 3 --low-blocks 5 --own-colors 0.85 --conditional --scales 2 \
        --batch-size 4 ${TINY:+--crop-px 64 --checkpoint-steps 2} "$@"
}

if [ "${TINY:-}" ]; then
    python scripts/make_pairs.py cel "$photos" --models "$models" --out "$runs/pairs" --crop-px 128 --count 2
else
    python scripts/make_pairs.py cel "$photos" --models "$models" --out "$runs/pairs" --crop-px 512
fi
STAGES
photo2anime export "$runs/cel" --int8 examples --license "Apache-2.0: any use, also commercial"
