#!/bin/sh
# Renders every size the desktop app needs from icon.svg. Needs rsvg-convert (librsvg2-bin), ImageMagick and png2icns (icnsutils).
set -eu
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# png SIZE FILE [DRAWING]
png() { rsvg-convert --width "$1" --height "$1" --output "$2" "${3:-icon.svg}"; }

png 32 32x32.png
png 64 64x64.png
png 128 128x128.png
png 256 128x128@2x.png
png 512 icon.png

# The tray: the same, and without its colour while offline.
sed 's/#2f7d5c/#6c7571/; s/#1c5a40/#4b534f/; s/#d6f5e6/#e6ebe8/g' icon.svg >"$work/offline.svg"
png 32 tray.png
png 32 tray-offline.png "$work/offline.svg"

for size in 16 24 32 48 64 128 256 512 1024; do png "$size" "$work/$size.png"; done
convert "$work/16.png" "$work/24.png" "$work/32.png" "$work/48.png" "$work/64.png" "$work/256.png" icon.ico
png2icns icon.icns "$work/16.png" "$work/32.png" "$work/128.png" "$work/256.png" "$work/512.png" "$work/1024.png" >/dev/null

# The small icons of the window's page and of a rendezvous are the same drawing.
cp icon.svg ../ui/src/favicon.svg
cp icon.ico ../crates/rendezvous/assets/favicon.ico
