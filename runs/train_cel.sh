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
        --crop-px "$(full 160 64)" --batch-size "$(full 4 1)" --gradient 3 --perceptual 1.5 "$@"
}

python scripts/make_pairs.py cel "$photos" --models "$models" --out "$runs/pairs" --crop-px "$(full 512 96)" --count "$(full 9999 2)"

# The shipped one made its first 5500 steps on flatter drawings, which lost twigs and wires (docs/log.md).
train cel-a --conditional --scales 2 --steps "$(full 5500 4)" --warmup-steps "$(full 500 2)" --lr 0.01 \
    --adversarial 0.3 --pixel 5 --line 2.5
sharpen() {
    run=$1
    shift
    train "$run" --discriminator features --shade-jitter 1.5 --warmup-steps 2 --adversarial 1 --pixel 4 --line 3 "$@"
}
sharpen cel-b --from "$runs/cel-a" --steps "$(full 1400 4)" --lr 0.008 --seed 4
sharpen cel-c --from "$runs/cel-b" --steps "$(full 300 4)" --lr 0.004 --seed 5 --features "$(full vgg16 mobilenetv2)"
sharpen cel --from "$runs/cel-c" --steps "$(full 2000 4)" --lr 0.007 --line 4 --adversarial 1.2 --crop-px "$(full 192 64)" --seed 21
# The one for video: half of the arithmetic, begun with what counts most of the large one.
hidden=$(full 56 8)
python scripts/cut_network.py "$runs/cel" "$runs/cut.onnx" --hidden "$hidden" --fine-blocks 2 --low-blocks 3
sharpen cel-fast --from "$runs/cut.onnx" --hidden "$hidden" --fine-blocks 2 --low-blocks 3 --steps "$(full 2000 4)" \
    --lr 0.01 --line 4 --adversarial 1.2 --crop-px "$(full 192 64)" --seed 61
photo2anime export "$runs/cel-fast" --ink 0.7 --light 1 --int8 examples --license "Apache-2.0: any use, commercial too"
photo2anime export "$runs/cel" --ink 0.7 --light 1 --int8 examples --license "Apache-2.0: any use, commercial too"
