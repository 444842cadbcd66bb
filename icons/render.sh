#!/bin/sh
# Renders every size the desktop app needs from icon.svg. Needs rsvg-convert (librsvg2-bin) and ImageMagick.
set -eu
cd "$(dirname "$0")"

png() { rsvg-convert --width "$1" --height "$1" --output "$2" icon.svg; }

png 32 32x32.png
png 128 128x128.png
png 256 128x128@2x.png
png 512 icon.png

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for size in 16 24 32 48 64 256; do png "$size" "$work/$size.png"; done
convert "$work/16.png" "$work/24.png" "$work/32.png" "$work/48.png" "$work/64.png" "$work/256.png" icon.ico

# The page's own small icon is the same drawing.
cp icon.svg ../ui/src/favicon.svg
