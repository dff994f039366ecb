#!/bin/sh
# How hayao, shinkai and paprika were trained: runs/train_film_styles.sh PAIRS RUNS
# PAIRS holds photo/, hayao/, shinkai/ and paprika/ with the same file names. A step with VGG16 took 0.84 s of one core with
# bfloat16, two runs side by side, and 1.37 s where it had none; the stages before took an hour and a half on two older cores.
# Each command goes on where it was stopped. Where the shipped models differ: the first two stages still had an L1 of
# MobileNetV2's features for --perceptual, hayao-1 was stopped by hand at step 2400, and hayao had a short stage in between
# for the grid term; the average of the weights had half lives of 40 to 150 steps (docs/cards/, docs/log.md).
set -eu
pairs=$1
runs=$2
held_out=06,15,18,22,30,44

train() {
    name=$1
    style=$2
    shift 2
    photo2anime distill --photos "$pairs/photo" --targets "$pairs/$style" --style "$style" --run "$runs/$name" \
        --hold-out "$held_out" "$@"
}

slow="--features vgg16 --batch-size 4 --warmup-steps 30"

train hayao-1 hayao --steps 3000 --warmup-steps 1500 --pixel 1 --gradient 0.5 --line 2 --adversarial 0.05
train hayao-2 hayao --steps 1800 --warmup-steps 0 --lr 0.01 --pixel 1 --gradient 0.5 --adversarial 0.25 --from "$runs/hayao-1"
train shinkai-2 shinkai --steps 1600 --warmup-steps 200 --lr 0.01 --pixel 1 --adversarial 0.25 --from "$runs/hayao-2"
train paprika-2 paprika --steps 1000 --warmup-steps 100 --lr 0.01 --pixel 1 --line 2 --adversarial 0.25 --from "$runs/hayao-2"

train hayao-3 hayao $slow --steps 3200 --lr 0.01 --from "$runs/hayao-2"
train hayao hayao $slow --steps 350 --lr 0.005 --pixel 6 --line 6 --from "$runs/hayao-3"
train shinkai-3 shinkai $slow --steps 3200 --lr 0.01 --from "$runs/shinkai-2"
train shinkai shinkai $slow --steps 350 --lr 0.005 --pixel 6 --line 4 --from "$runs/shinkai-3"
train paprika paprika $slow --steps 1900 --lr 0.01 --pixel 4 --line 3 --from "$runs/paprika-2"

for style in hayao shinkai paprika; do
    photo2anime export "$runs/$style" --int8 examples
    photo2anime evaluate "$runs/$style/export/$style.onnx" --photos "$pairs/photo" --targets "$pairs/$style" \
        --names "$held_out" --out "$runs/$style/export"
done
