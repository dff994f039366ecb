#!/bin/sh
# How the portrait network was trained: runs/train_portraits.sh FACES BACKGROUNDS MODELS RUNS
# FACES: square, aligned faces (FFHQ 00000 to 00059 and generated ones; from 00060 on they are for measuring). BACKGROUNDS: photos.
# MODELS: a folder with the .onnx files that runs/looks.toml names. TINY=1 runs all of it in two minutes, with too little
# of everything to be pretty.
set -eu
faces=$1
backgrounds=$2
models=$3
runs=$4

steps() { # of a stage; a handful with TINY
    if [ "${TINY:-}" ]; then echo 4; else echo "$1"; fi
}

train() {
    run=$1
    shift
    photo2anime distill --photos "$runs/pairs/photo" --targets "$runs/pairs/portrait" --style portrait --run "$runs/$run" \
        --width 64 --hidden 128 --fine-blocks 3 --low-blocks 5 --deep-blocks 3 --own-colors 0.85 --conditional --scales 2 \
        --hue-jitter 0.04 --batch-size 4 --pixel 6 --gradient 4 --perceptual 1.2 \
        --crop-px "$(if [ "${TINY:-}" ]; then echo 64; else echo 192; fi)" "$@"
}

python scripts/make_pairs.py portrait "$faces" --place "$backgrounds" --models "$models" --out "$runs/pairs" \
    --kept-px 416 --variants "$(if [ "${TINY:-}" ]; then echo 1; else echo 4; fi)" ${TINY:+--count 2}

# The shipped one began with 0.3.0's portrait-v1 and 2300 steps towards larger eyes, which were given up (docs/log.md).
train portrait-a --from hayao-v2 --steps "$(steps 4000)" --warmup-steps "$(steps 600)" --lr 0.01 --adversarial 0.25 --line 2
train portrait-b --from "$runs/portrait-a" --steps "$(steps 2600)" --warmup-steps 2 --lr 0.008 --adversarial 0.35 --line 2.5 --seed 2
train portrait --from "$runs/portrait-b" --steps "$(steps 500)" --warmup-steps 2 --lr 0.004 --adversarial 0.35 --line 2.5 \
    ${TINY:-}${TINY:+00} --seed 3
photo2anime export "$runs/portrait" --license "non-commercial, after AnimeGANv3's published models"
