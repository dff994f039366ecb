#!/bin/sh
# The whole way in three minutes on two cores, with too little of everything to be pretty: runs/tiny_cpu.sh [FOLDER]
# A style is made of the example photos themselves (painted by hayao), learned again without pairs, and used.
set -eu
out=${1:-$(mktemp -d)}
mkdir -p "$out"
rm -rf "$out/run"

for photo in examples/*.jpg; do
    photo2anime paint "$photo" -s hayao --faces off -o "$out/style/$(basename "$photo")" --skip-existing
done
photo2anime prepare "$out/style" --out "$out/prepared" --size 128
photo2anime train --photos examples --anime "$out/prepared" --preset hayao --style tiny --run "$out/run" \
    --steps 30 --warmup-steps 10 --crop-px 64 --batch-size 2 --checkpoint-steps 15
photo2anime export "$out/run"
photo2anime evaluate "$out/run/export/tiny.onnx" --photos examples --targets "$out/style" --features mobilenetv2 --out "$out"
photo2anime paint examples/coast.jpg -s "$out/run/export/tiny.onnx" -o "$out/coast.jpg"
echo "Look at $out/coast.jpg, $out/tiny.jpg and $out/run/samples"
