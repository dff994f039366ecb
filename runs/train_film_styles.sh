#!/bin/sh
# How hayao, shinkai and paprika were trained: runs/train_film_styles.sh PAIRS RUNS
# PAIRS holds photo/, hayao/, shinkai/ and paprika/ with the same file names; about an hour and a half on two free cores.
# Each command goes on where it was stopped. The first stage of the shipped hayao was stopped by hand at step 2400.
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

train hayao-1 hayao --steps 3000 --warmup-steps 1500
train hayao hayao --steps 1800 --warmup-steps 0 --lr 0.01 --line 1 --adversarial 0.25 --from "$runs/hayao-1"
for style in shinkai paprika; do
    train "$style" "$style" --steps 1600 --warmup-steps 200 --lr 0.01 --line 1 --adversarial 0.25 --from "$runs/hayao"
done

for style in hayao shinkai paprika; do
    photo2anime export "$runs/$style"
    photo2anime evaluate "$runs/$style/export/$style.onnx" --photos "$pairs/photo" --targets "$pairs/$style" \
        --names "$held_out" --out "$runs/$style/export"
done
