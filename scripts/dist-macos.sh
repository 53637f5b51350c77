#!/usr/bin/env bash
# Makes Tailrace.app and a disk image of it. Runs on macOS only, with Xcode's
# command line tools; nothing of it can be made or tried elsewhere.
#
#   scripts/dist-macos.sh
#   SIGN="Developer ID Application: …" scripts/dist-macos.sh
#   SIGN=… NOTARY_PROFILE=… scripts/dist-macos.sh    as stored by xcrun notarytool store-credentials
#
# Without SIGN the app has an ad-hoc signature: it runs on this Mac, and on others
# after a right click and "Open".
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(uname -s)" = Darwin ] || {
  echo "dist-macos: this runs on macOS only" >&2
  exit 1
}
version=$(sed -n 's/.*"productVersion": "\(.*\)".*/\1/p' wails.json)
out=dist
app=$out/Tailrace.app
rm -rf "$app"
mkdir -p "$app/Contents/MacOS" "$app/Contents/Resources"

# Both kinds of processors in one program.
for arch in amd64 arm64; do
  GOARCH=$arch make desktop
  mv build/bin/tailrace "build/bin/tailrace-$arch"
done
lipo -create -output "$app/Contents/MacOS/tailrace" build/bin/tailrace-amd64 build/bin/tailrace-arm64

value() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" wails.json | head -n 1; }
sed -e "s/{{.Info.ProductName}}/$(value productName)/" -e "s/{{.OutputFilename}}/tailrace/" \
  -e "s/{{.Info.ProductVersion}}/$version/" -e "s/{{.Info.Comments}}/$(value comments)/" \
  -e "s/{{.Info.Copyright}}/$(value copyright)/" build/darwin/Info.plist >"$app/Contents/Info.plist"
plutil -lint "$app/Contents/Info.plist"

icons=$(mktemp -d)/iconfile.iconset
mkdir -p "$icons"
for size in 16 32 128 256 512; do
  sips -z "$size" "$size" build/appicon.png --out "$icons/icon_${size}x$size.png" >/dev/null
  sips -z $((size * 2)) $((size * 2)) build/appicon.png --out "$icons/icon_${size}x$size@2x.png" >/dev/null
done
iconutil -c icns "$icons" -o "$app/Contents/Resources/iconfile.icns"
cp LICENSE frontend/public/licences.txt "$app/Contents/Resources/"

if [ -n "${SIGN:-}" ]; then
  codesign --force --options runtime --timestamp --sign "$SIGN" "$app"
else
  codesign --force --sign - "$app"
fi
image=$out/tailrace-$version-macos.dmg
staging=$(mktemp -d)
cp -R "$app" "$staging/"
ln -s /Applications "$staging/Applications"
rm -f "$image"
hdiutil create -volname Tailrace -srcfolder "$staging" -format UDZO "$image"
if [ -n "${SIGN:-}" ] && [ -n "${NOTARY_PROFILE:-}" ]; then
  xcrun notarytool submit "$image" --keychain-profile "$NOTARY_PROFILE" --wait
  xcrun stapler staple "$image"
fi
shasum -a 256 "$image"
