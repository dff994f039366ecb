#!/bin/sh
# How portrait-v1 and portrait-v2 were trained: runs/train_portraits.sh SHARED RUNS FACES MESH
# SHARED as for train_film_styles.sh, which comes first (RUNS/hayao-drawn; the shipped ones began with 0.2.0's like stage).
# FACES holds real faces, here FFHQ 00000 to 00059: those from 00060 on are for measuring. MESH is MediaPipe's
# face_landmark.tflite.
# RUNS/pairs_faces holds photo/ and anime/ of SHARED/data/pairs_faces but 00012 and 00019.
set -eu
shared=$1
runs=$2
faces=$3
mesh=$4

python scripts/portrait_pairs.py "$faces" "$shared/data/faces" --count 260 --out "$runs/composed" \
    --cute "$shared/teachers/animeganv3_tiny_cute.onnx" --inked "$shared/teachers/animeganv3_shinkai.onnx" \
    --backgrounds "$shared/data/photos_large"
python scripts/drawn_pairs.py "$runs/pairs_faces" --mesh "$mesh" --out "$runs/drawn" --own-colors 0.7

train() {
    run=$1
    style=$2
    first=$3
    shift 3
    photo2anime distill --photos "$runs/$first/photo" --targets "$runs/$first/anime" --style "$style" --run "$runs/$run" \
        --deep-blocks 3 --crop-px 192 "$@"
}

train portrait-a portrait drawn --pseudo-pairs "$runs/composed/photo" "$runs/composed/anime" --batch-size 4 \
    --from "$runs/hayao-drawn" --steps 1800 --warmup-steps 1000 --adversarial 0.15 --lr 0.012
train portrait-v2 portrait-v2 composed --batch-size 2 --features vgg16 --from "$runs/portrait-a" --steps 450 \
    --warmup-steps 20 --adversarial 0.3 --line 2 --perceptual 1.5 --lr 0.008
train portrait-v1 portrait-v1 composed --pseudo-pairs "$runs/drawn/photo" "$runs/drawn/anime" --batch-size 3 --features vgg16 \
    --from "$runs/portrait-v2" --steps 220 --warmup-steps 20 --adversarial 0.2 --line 1.5 --perceptual 1.5 --lr 0.006

for style in portrait-v1 portrait-v2; do
    photo2anime export "$runs/$style"
done
