#!/bin/sh
# How hayao, shinkai and paprika were trained: runs/train_film_styles.sh PAIRS RUNS
# PAIRS holds photo/, hayao/, shinkai/ and paprika/ with the same file names; about an hour and a half on two free cores.
# Each command goes on where it was stopped. Two things differ for the shipped models: the first stage of hayao was stopped by
# hand at step 2400, and the grid term came only with the last stage of each (docs/cards/).
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
train hayao-2 hayao --steps 1800 --warmup-steps 0 --lr 0.01 --line 1 --adversarial 0.25 --from "$runs/hayao-1"
train hayao hayao --steps 260 --warmup-steps 30 --lr 0.004 --line 4 --adversarial 0.25 --from "$runs/hayao-2"
train shinkai-1 shinkai --steps 1600 --warmup-steps 200 --lr 0.01 --line 1 --adversarial 0.25 --from "$runs/hayao-2"
train shinkai shinkai --steps 220 --warmup-steps 30 --lr 0.004 --line 2 --adversarial 0.25 --from "$runs/shinkai-1"
train paprika paprika --steps 1000 --warmup-steps 100 --lr 0.01 --line 2 --adversarial 0.25 --from "$runs/hayao-2"

for style in hayao shinkai paprika; do
    photo2anime export "$runs/$style"
    photo2anime evaluate "$runs/$style/export/$style.onnx" --photos "$pairs/photo" --targets "$pairs/$style" \
        --names "$held_out" --out "$runs/$style/export"
done
