#!/usr/bin/env bash
# Tries the packages of dist/ where nothing else is: installs the .deb in a Debian
# of its own, with what it asks for and no more, has the official conformance suite
# and the tests of the window use the installed program, and removes it again. Then
# it looks into what cannot be run here, and runs what can.
#
# make test-packages calls it after make dist and scripts/setup.sh test. It needs
# root and debootstrap; DEBIAN names another release than bookworm, MIRROR another
# mirror.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }
fail() {
  printf 'test-packages: %s\n' "$*" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || fail "a Debian of its own needs root"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
deb=$(ls dist/tailrace_*_amd64.deb)
root=$(mktemp -d)
cleanup() {
  for at in tmp proc dev; do mountpoint -q "$root/$at" && umount -l "$root/$at"; done
  rm -rf --one-file-system "$root"
}
trap cleanup EXIT

say "checksums"
(cd dist && sha256sum --quiet -c SHA256SUMS)

say "a clean Debian"
debootstrap --variant=minbase "${DEBIAN:-bookworm}" "$root" "${MIRROR:-http://deb.debian.org/debian}" >"$root.log" 2>&1 || {
  tail "$root.log"
  fail "debootstrap failed"
}
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
mount --bind /tmp "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
# inside COMMAND…: runs it there, with nothing of this environment.
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

say "install"
cp "$deb" "$root/tailrace.deb"
inside apt-get update -q >/dev/null
inside apt-get install -y -q -o Dpkg::Use-Pty=0 --no-install-recommends /tailrace.deb >/dev/null
inside tailrace version
inside sh -c 'ldd /usr/bin/tailrace | grep "not found"' && fail "libraries are missing"
installed=$(inside dpkg -L tailrace)
for part in /usr/share/applications/tailrace.desktop /usr/share/icons/hicolor/48x48/apps/tailrace.png \
  /usr/share/man/man1/tailrace.1.gz /usr/share/mime/packages/tailrace.xml /usr/share/bash-completion/completions/tailrace; do
  grep -qx "$part" <<<"$installed" || fail "$part is not installed"
done

# The tests run out here and start the program in there. They share /tmp.
program=$(mktemp)
cat >"$program" <<RUN
#!/bin/sh
exec chroot "$root" /usr/bin/tailrace "\$@"
RUN
chmod +x "$program"
say "the conformance suite uses it"
(cd test && TAILRACE_BIN=$program npm run --silent test -- conformance)
say "the tests of the window use it"
TAILRACE_DESKTOP_BIN=$program go test -count=1 -tags desktop,production,webkit2_41 ./test/desktop

say "remove"
inside sh -c 'mkdir -p /root/.local/share/tailrace && echo kept >/root/.local/share/tailrace/file'
removed=$(inside apt-get purge -y -q -o Dpkg::Use-Pty=0 tailrace)
grep -q "streams and settings stay" <<<"$removed" || fail "removing it does not say where the data is"
[ -e "$root/root/.local/share/tailrace/file" ] || fail "removing it removed data"
while read -r path; do
  [ -d "$root$path" ] || [ ! -e "$root$path" ] || fail "$path is still there"
done <<<"$installed"
rm -f "$program"

say "the other packages"
work=$(mktemp -d)
for archive in dist/*.tar.gz; do
  tar -tzf "$archive" | grep '/tailrace$' >/dev/null || fail "$archive holds no program"
done
tar -C "$work" -xzf dist/tailrace-headless-*-linux-amd64.tar.gz
"$work"/*/tailrace version
"$work"/*/tailrace serve --ephemeral -- sh -c 'curl -sSf -X PUT "$DURABLE_STREAMS_URL/a" && curl -sSf "$DURABLE_STREAMS_URL/a"'
if command -v qemu-aarch64-static >/dev/null; then
  tar -C "$work" -xzf dist/tailrace-headless-*-linux-arm64.tar.gz
  qemu-aarch64-static "$work"/*-arm64/tailrace version
  qemu-aarch64-static "$work"/*-arm64/tailrace serve --ephemeral -- sh -c 'curl -sSf -X PUT "$DURABLE_STREAMS_URL/a" && curl -sSf "$DURABLE_STREAMS_URL/a"'
else
  echo "qemu-aarch64-static is missing (apt: qemu-user-static): the program for arm64 was not run"
fi
command -v rpm >/dev/null && rpm -qpl dist/*.rpm | grep -x /usr/bin/tailrace && rpm -qp --requires dist/*.rpm | grep -E 'webkit|gtk|glibc'
if command -v 7z >/dev/null; then
  7z l dist/*-setup.exe | grep -E 'Tailrace.exe|tailrace.exe|MicrosoftEdgeWebview2Setup.exe|uninstall' || fail "the installer lacks a program"
fi
rm -rf "$work"
say "all passed"
