#!/bin/sh
# How to train hayao, shinkai and paprika from nothing: runs/train_film_styles.sh SHARED RUNS
# SHARED/data holds pairs/ (photo, hayao, shinkai, paprika under the same names), photos_large, faces_ffhq, faces and
# hayao_stills; SHARED/teachers AnimeGANv3's published models. FFHQ faces from 00060 on are for measuring. Eight hours of one
# core without bfloat16, most of it VGG16. Each command goes on where it was stopped. The shipped networks came to the same
# stages over three versions, each --from the one before (docs/log.md).
set -eu
data=$1/data
teachers=$1/teachers
runs=$2
held_out=06,15,18,22,30,44

train() {
    name=$1
    style=$2
    shift 2
    photo2anime distill --photos "$data/pairs/photo" --targets "$data/pairs/$style" --style "$style" --run "$runs/$name" \
        --hold-out "$held_out" "$@"
}

# The palettes, from the pairs alone: a colour filter that hardly draws.
train hayao-palette hayao --steps 3000 --warmup-steps 3000 --adversarial 0 --lr 0.015 --pixel 5 --line 2 --perceptual 1.5
for style in shinkai paprika; do
    train $style-palette $style --from "$runs/hayao-palette" --steps 1000 --warmup-steps 1000 --adversarial 0 --lr 0.012 \
        --pixel 5 --line 2 --perceptual 1.5
done

# Other photos, drawn by the teachers and coloured by those: faces, things, animals, which the pairs do not show.
for style in hayao shinkai paprika; do
    drawn=$teachers/animeganv3_shinkai.onnx
    if [ $style = hayao ]; then drawn=$teachers/animeganv3_hayao.onnx; fi
    photo2anime export "$runs/$style-palette"
    while read -r folder count; do
        python scripts/film_pairs.py "$data/$folder" --count "$count" --drawn "$drawn" \
            --palette "$runs/$style-palette/export/$style.onnx" --name $style --out "$runs/pseudo"
    done <<-LIST
	photos_large 192
	faces_ffhq 34
	faces 32
	LIST
done

# Pictures of the style without pairs: stills of the film where there are some, else those of the pairs.
photo2anime prepare "$data/hayao_stills" --out "$runs/hayao-pictures"
for style in shinkai paprika; do
    mkdir -p "$runs/$style-pictures"
    cp "$data/pairs/$style"/* "$runs/$style-pictures"
    for name in $(echo $held_out | tr , ' '); do rm "$runs/$style-pictures/$name".*; done
done

# Both together: half of each batch is pairs. Then the pairs alone: colours and lines come nearer. Last the pairs with
# other photos that have no picture, which keep what they are (orange and skin lean to pink without), and a little of the
# pairs again, which takes off a faint grid. The shipped ones are means of the weights of the last stages (their cards).
lines="--features vgg16 --batch-size 4 --warmup-steps 30 --perceptual 2 --line 3"
for style in hayao shinkai paprika; do
    both="--pseudo-pairs $runs/pseudo/photo $runs/pseudo/$style"
    train $style-drawn $style --from "$runs/$style-palette" $both --steps 2400 --warmup-steps 2400 --adversarial 0 --lr 0.012
    train $style-lines $style --from "$runs/$style-drawn" $both $lines --steps 800 --lr 0.006 --pixel 4 --adversarial 0.2
    train $style-pairs $style --from "$runs/$style-lines" $lines --steps 600 --lr 0.004 --pixel 5 --adversarial 0.1
    photo2anime train --photos "$data/photos_large" --anime "$runs/$style-pictures" --preset $style --style $style \
        --pairs "$data/pairs/photo" "$data/pairs/$style" --hold-out "$held_out" --run "$runs/$style-mixed" \
        --from "$runs/$style-pairs" --steps 450 --warmup-steps 50 --lr 0.003 --features vgg16 --batch-size 4 \
        --line 4000 --perceptual 1500
    train $style $style --from "$runs/$style-mixed" --features vgg16 --batch-size 4 --warmup-steps 5 --perceptual 2 --pixel 5 \
        --steps 80 --lr 0.002 --line 5 --adversarial 0.15 --seed 5
    photo2anime export "$runs/$style" --int8 examples
    photo2anime evaluate "$runs/$style/export/$style.onnx" --photos "$data/pairs/photo" --targets "$data/pairs/$style" \
        --names "$held_out" --out "$runs/$style/export"
done
