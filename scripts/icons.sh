#!/usr/bin/env bash
# Draws the icons that are committed beside it from build/icon.svg.
# Needs rsvg-convert (librsvg2-bin) and icotool (icoutils). Run after changing the drawing.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rsvg-convert -w 1024 -h 1024 build/icon.svg -o build/appicon.png

mkdir -p build/linux/icons
for size in 16 24 32 48 64 128 256 512; do
  rsvg-convert -w "$size" -h "$size" build/icon.svg -o "build/linux/icons/$size.png"
done

# Large pictures are stored as PNG, small ones as bitmaps, which is what Windows reads everywhere.
small=() large=()
for size in 16 20 24 32 40 48 64; do
  rsvg-convert -w "$size" -h "$size" build/icon.svg -o "$work/$size.png"
  small+=("$work/$size.png")
done
for size in 128 256; do
  rsvg-convert -w "$size" -h "$size" build/icon.svg -o "$work/$size.png"
  large+=("--raw=$work/$size.png")
done
mkdir -p build/windows
icotool -c -o build/windows/icon.ico "${small[@]}" "${large[@]}"
