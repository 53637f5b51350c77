#!/usr/bin/env bash
# Makes the packages of every platform that can be made on a Linux machine, into
# dist/. The same commit and the same compilers give the same bytes: times are
# those of the commit, names are sorted, and no path of this machine gets in.
#
# make dist calls it with VERSION, COMMIT and DESKTOP_TAGS.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || {
  echo "dist: packages are made on Linux on amd64 (docs/packages.md)" >&2
  exit 1
}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
work=$(mktemp -d)
trap 'rm -rf "$work" rsrc_windows_*.syso' EXIT
export SOURCE_DATE_EPOCH VERSION WORK=$work TZ=UTC LC_ALL=C
umask 022
out=dist
rm -rf "$out"
mkdir -p "$out" "$work/cli" "$work/winres"

say() { printf 'dist: %s\n' "$*"; }
tool() { go tool -modfile=build/dist.mod "$@"; }
ldflags="-s -w -buildid= -X main.version=$VERSION -X main.commit=$COMMIT"
# build OUTPUT TAGS [LDFLAGS]: for GOOS and GOARCH of the environment.
build() { go build -trimpath -buildvcs=false -tags "$2" -ldflags "$ldflags ${3:-}" -o "$1" .; }
# touch_all FOLDER: gives what is in it the time of the commit.
touch_all() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

say "manual page and completions"
go build -o "$work/make-cli" ./build/cli
env -i HOME='~' "$work/make-cli" "$work/cli" "$VERSION"
gzip -9n <"$work/cli/tailrace.1" >"$work/cli/tailrace.1.gz"

say "Linux, with a window"
CGO_ENABLED=1 GOOS=linux GOARCH=amd64 build "$work/tailrace" "$DESKTOP_TAGS"
# The packages ask for the C library that the program was linked against, not more.
GLIBC=$(objdump -T "$work/tailrace" | sed -n 's/.*(GLIBC_\([0-9.]*\)).*/\1/p' | sort -Vu | tail -n 1)
export GLIBC
for kind in deb rpm; do
  tool nfpm package --config build/nfpm.yaml --packager "$kind" --target "$out/" >/dev/null
done

# folder NAME PROGRAM: what an archive holds.
folder() {
  local to=$work/$1
  mkdir -p "$to"
  cp "$2" "$to/$(basename "${3:-$2}")"
  cp LICENSE README.md "$to/"
  cp frontend/public/licences.txt "$to/third-party-licences.txt"
  cp -r docs "$to/docs"
  if [[ $1 != *windows* ]]; then
    mkdir "$to/shell"
    cp "$work/cli/tailrace.1" "$work/cli/tailrace.bash" "$work/cli/tailrace.zsh" "$work/cli/tailrace.fish" "$to/shell/"
  fi
  touch_all "$to"
}
# archive NAME: the folder as .tar.gz, for Windows as .zip.
archive() {
  if [[ $1 == *windows* ]]; then
    (cd "$work" && find "$1" -type f | sort | zip -q -X -9 "$1.zip" -@)
    mv "$work/$1.zip" "$out/"
  else
    tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -c "$1" | gzip -9n >"$out/$1.tar.gz"
  fi
}
name=tailrace-$VERSION-linux-amd64
folder "$name" "$work/tailrace"
cp build/linux/tailrace.desktop build/icon.svg "$work/$name/"
touch_all "$work/$name"
archive "$name"

say "resources of the Windows programs"
cp build/windows/winres.json build/windows/icon.ico "$work/winres/"
sed "s/{{.Info.ProductVersion}}/$VERSION/" build/windows/wails.exe.manifest >"$work/winres/tailrace.manifest"
tool go-winres make --in "$work/winres/winres.json" --out rsrc --arch amd64,arm64 \
  --product-version "$VERSION.0" --file-version "$VERSION.0"

for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
  say "$target, without a window"
  suffix=
  [[ $target == windows/* ]] && suffix=.exe
  name=tailrace-headless-$VERSION-${target/\//-}
  CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} build "$work/$name-program$suffix" ""
  folder "$name" "$work/$name-program$suffix" "tailrace$suffix"
  archive "$name"
done

say "Windows, with a window"
CGO_ENABLED=0 GOOS=windows GOARCH=amd64 build "$work/Tailrace.exe" desktop,production "-H windowsgui"
cp "$work/tailrace-headless-$VERSION-windows-amd64-program.exe" "$work/tailrace-headless.exe"
name=tailrace-$VERSION-windows-amd64
folder "$name" "$work/Tailrace.exe"
archive "$name"
webview2=$(go list -m -f '{{.Dir}}' github.com/wailsapp/wails/v2)/internal/webview2runtime/MicrosoftEdgeWebview2Setup.exe
cp "$webview2" "$work/MicrosoftEdgeWebview2Setup.exe"
touch -d "@$SOURCE_DATE_EPOCH" "$work"/*.exe
# What it takes from the sources keeps their times, which are those of a checkout.
mkdir -p "$work/tree/build" "$work/tree/frontend/public"
cp -r build/windows "$work/tree/build/"
cp -r docs LICENSE README.md "$work/tree/"
cp frontend/public/licences.txt "$work/tree/frontend/public/"
touch_all "$work/tree"
(cd "$work/tree/build/windows" && makensis -V2 -NOCD "-DVERSION=$VERSION" "-DWORK=$work" "-DWEBVIEW2=$work/MicrosoftEdgeWebview2Setup.exe" installer.nsi)
mv "$work/installer.exe" "$out/tailrace-$VERSION-windows-amd64-setup.exe"

say "licences and the list of what is built in"
cp frontend/public/licences.txt "$out/third-party-licences.txt"
# A program of this machine, whatever platform it is asked about.
go build -modfile=build/dist.mod -o "$work/cyclonedx-gomod" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
node scripts/sbom.mjs "$VERSION" "$work/cyclonedx-gomod" >"$out/tailrace-$VERSION.cdx.json"

(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
