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

colors=0.85
train() {
    run=$1
    shift
    photo2anime distill --photos "$runs/pairs/photo" --targets "$runs/pairs/portrait" --style portrait --run "$runs/$run" \
        --width 64 --low-blocks 5 --deep-blocks 3 --own-colors "$colors" --hue-jitter 0.04 \
        --crop-px "$(full 192 64)" --batch-size "$(full 4 1)" "$@"
}

# Pictures are as large as the network will be used at: a face of 240 pixels. At 416, as the first stages had them, it
# learned slower and drew fainter (docs/log.md).
python scripts/make_pairs.py portrait "$faces" --place "$backgrounds" --models "$models" --out "$runs/pairs" \
    --kept-px "$(full 336 128)" --variants "$(full 4 1)" --count "$(full 9999 2)"

# The shipped one began with 0.3.0's portrait-v1 and 3800 steps towards a look that moves eyes, given up (docs/log.md);
# here a film network of ours stands for that beginning. Then it grows.
train portrait-a --hidden 128 --fine-blocks 3 --from hayao-v2 --conditional --scales 2 --steps "$(full 6000 4)" \
    --warmup-steps "$(full 500 2)" --lr 0.01 --adversarial 0.3 --pixel 6 --gradient 4 --perceptual 1.2 --line 2.5
sharpen() {
    train "$@" --hidden "$(full 176 136)" --fine-blocks 4 --discriminator features --shade-jitter 2 --warmup-steps 2 \
        --pixel 4 --gradient 3 --perceptual 1.5 --line 4
}
sharpen portrait-b --from "$runs/portrait-a" --steps "$(full 1500 4)" --lr 0.008 --adversarial 0.8 --seed 5
sharpen portrait-c --from "$runs/portrait-b" --steps "$(full 3300 4)" --lr 0.008 --adversarial 1.2 --seed 6
sharpen portrait-d --from "$runs/portrait-c" --steps "$(full 700 4)" --lr 0.004 --adversarial 1.2 --seed 7 \
    --features "$(full vgg16 mobilenetv2)"
sharpen portrait-e --from "$runs/portrait-d" --steps "$(full 1000 4)" --lr 0.008 --adversarial 1.2 --seed 8
sharpen portrait-f --from "$runs/portrait-e" --steps "$(full 3600 4)" --lr 0.008 --adversarial 1.2 --seed 9 --eye-weight 5
sharpen portrait-g --from "$runs/portrait-f" --steps "$(full 520 4)" --lr 0.004 --adversarial 1.2 --seed 10 --eye-weight 4 \
    --features "$(full vgg16 mobilenetv2)"
colors=1.0 # at 0.85 a blue wall turned by 19 degrees
sharpen portrait --from "$runs/portrait-g" --steps "$(full 1600 4)" --lr 0.005 --adversarial 1.2 --seed 52 --eye-weight 3 \
    --features "$(full vgg16 mobilenetv2)"
photo2anime export "$runs/portrait" --license "non-commercial, after AnimeGANv3's published models"
