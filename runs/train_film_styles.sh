#!/bin/sh
# How hayao, shinkai and paprika were trained: runs/train_film_styles.sh SHARED RUNS PALETTES
# SHARED/data holds pairs/ (photo, hayao, shinkai, paprika under the same names), photos_large, photos, faces_ffhq and faces;
# SHARED/teachers AnimeGANv3's published models. PALETTES holds hayao.onnx, shinkai.onnx and paprika.onnx that were trained
# on the pairs alone (version 0.1.0's, or a first run of this script without --pseudo-pairs): they have the palette, and
# the teachers draw; the shipped ones also had 56 of BSDS (the last 200 of photos). FFHQ faces from 00060 on are for
# measuring. Two and a half hours of one core without bfloat16. Each command goes on where it was stopped.
set -eu
data=$1/data
teachers=$1/teachers
runs=$2
palettes=$3
held_out=06,15,18,22,30,44
pseudo=$runs/pseudo

for style in hayao shinkai paprika; do
    drawn=$teachers/animeganv3_shinkai.onnx
    if [ $style = hayao ]; then drawn=$teachers/animeganv3_hayao_512.onnx; fi
    while read -r folder count; do
        python scripts/film_pairs.py "$data/$folder" --count "$count" \
            --drawn "$drawn" --palette "$palettes/$style.onnx" --name $style --out "$pseudo"
    done <<-LIST
	photos_large 192
	faces_ffhq 34
	faces 32
	LIST
done

train() {
    name=$1
    style=$2
    shift 2
    photo2anime distill --photos "$data/pairs/photo" --targets "$data/pairs/$style" \
        --pseudo-pairs "$pseudo/photo" "$pseudo/$style" --style "$style" --run "$runs/$name" --hold-out "$held_out" "$@"
}

train hayao-a hayao --steps 3600 --warmup-steps 3600 --adversarial 0 --lr 0.015
for style in shinkai paprika; do
    train $style-b $style --from "$runs/hayao-a" --steps 900 --warmup-steps 300 --lr 0.012 --line 1.5 --adversarial 0.15
done

last="--features vgg16 --batch-size 4 --warmup-steps 30 --perceptual 1.5 --lr 0.006 --line 2 --adversarial 0.2"
train hayao-c hayao --from "$runs/hayao-a" --steps 750 $last
train shinkai-c shinkai --from "$runs/shinkai-b" --steps 600 $last
train paprika-c paprika --from "$runs/paprika-b" --steps 600 $last

# Last on the pairs alone: colours and lines come nearer, and what the pseudo-pairs taught of faces and things stays.
pairs_only() {
    photo2anime distill --photos "$data/pairs/photo" --targets "$data/pairs/$1" --style "$1" --run "$runs/$1" \
        --hold-out "$held_out" --features vgg16 --batch-size 4 --warmup-steps 30 --lr 0.004 --pixel 5 --line 3 \
        --perceptual 1.5 --adversarial 0.1 --from "$runs/$1-c" --steps "$2"
}
pairs_only hayao 300
pairs_only shinkai 300
pairs_only paprika 400

for style in hayao shinkai paprika; do
    photo2anime export "$runs/$style" --int8 examples
    photo2anime evaluate "$runs/$style/export/$style.onnx" --photos "$data/pairs/photo" --targets "$data/pairs/$style" \
        --names "$held_out" --out "$runs/$style/export"
done
