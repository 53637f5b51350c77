#!/usr/bin/env bash
# Checks the tools and installs what is missing.
#
#   scripts/setup.sh run     what `make run` needs
#   scripts/setup.sh bench   what `make bench` needs
#   scripts/setup.sh dist    what `make dist` needs
#   scripts/setup.sh test    what `make test` needs as well
#   scripts/setup.sh kind    prints which program can be built and run here:
#                            desktop (with a window) or headless
#   scripts/setup.sh chromium  prints the Chromium that browser tests use
#
# Says nothing and takes no time when nothing is missing. System packages are
# installed through apt, as root or with a sudo that asks no password; elsewhere
# the command to run is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_MIN=20.19.0
DESKTOP_PACKAGES="gcc libc6-dev pkg-config libgtk-3-dev libwebkit2gtk-4.1-dev"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE WANT: compares versions such as 1.26.0.
at_least() {
  local i
  local -a a b
  IFS=. read -ra a <<<"$1"
  IFS=. read -ra b <<<"$2"
  for i in 0 1 2; do
    ((10#${a[i]:-0} > 10#${b[i]:-0})) && return 0
    ((10#${a[i]:-0} < 10#${b[i]:-0})) && return 1
  done
  return 0
}

check_go() {
  local want got
  want=$(sed -n 's/^go \([0-9.]*\)$/\1/p' go.mod)
  local hint="get Go from https://go.dev/dl/ and put its bin folder on PATH"
  have go || fail "Go is missing (at least $want is needed): $hint"
  # A Go since 1.21 fetches the version that go.mod asks for by itself, unless it is told not to.
  got=$(go env GOVERSION 2>/dev/null) || fail "$(go version) is too old (at least $want is needed): $hint"
  got=${got#go}
  got=${got%%[!0-9.]*}
  at_least "$got" "$want" || fail "Go $got is too old (at least $want is needed): $hint"
}

check_node() {
  local got
  local hint="get Node.js 22 or newer from https://nodejs.org/en/download or https://github.com/nodesource/distributions"
  have node || fail "Node.js is missing (at least $NODE_MIN is needed): $hint"
  got=$(node --version)
  got=${got#v}
  at_least "${got%%[!0-9.]*}" "$NODE_MIN" || fail "Node.js $got is too old (at least $NODE_MIN is needed): $hint"
  have npm || fail "npm, which belongs to Node.js, is missing: $hint"
}

# npm_ci FOLDER: installs the locked packages when the lock file has changed since.
npm_ci() {
  local stamp="$1/node_modules/.tailrace-lock" lock
  lock=$(cksum <"$1/package-lock.json")
  [ "$(cat "$stamp" 2>/dev/null)" = "$lock" ] && return
  say "installing the npm packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error >&2)
  printf '%s\n' "$lock" >"$stamp"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_apt() {
  have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

apt_updated=
# apt_install PACKAGE…: fails, saying how, when it may not install.
apt_install() {
  if ! can_apt; then
    say "missing packages; install them with:"
    say "  sudo apt-get update && sudo apt-get install -y $*"
    have apt-get || say "  (or your system's packages for the same: on Fedora gcc pkgconf gtk3-devel webkit2gtk4.1-devel," \
      "on Arch base-devel gtk3 webkit2gtk-4.1)"
    return 1
  fi
  say "installing $*"
  local log status=0
  log=$(mktemp)
  if [ -z "$apt_updated" ]; then
    as_root apt-get update -q >"$log" 2>&1 || cat "$log" >&2
    apt_updated=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

has_display() {
  case $(uname -s) in
    Linux | *BSD) [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] ;;
    *) true ;;
  esac
}

has_compiler() { have "$(go env CC)"; }

# can_build_desktop: the toolkit of the window is there. On macOS it comes with the compiler.
can_build_desktop() {
  has_compiler || return 1
  [ "$(uname -s)" = Linux ] || return 0
  have pkg-config && pkg-config --exists gtk+-3.0 webkit2gtk-4.1
}

find_chromium() {
  local name path
  if [ -n "${CHROMIUM:-}" ]; then
    printf '%s\n' "$CHROMIUM"
    return
  fi
  for name in chromium google-chrome google-chrome-stable; do
    if path=$(command -v "$name"); then
      printf '%s\n' "$path"
      return
    fi
  done
  path=$(cd test && node -p 'require("playwright-core").chromium.executablePath()' 2>/dev/null) && [ -x "$path" ] && printf '%s\n' "$path"
}

setup_run() {
  check_go
  check_node
  npm_ci frontend
  if has_display && ! can_build_desktop; then
    # Without them the program is built without a window.
    # shellcheck disable=SC2086 # a list
    apt_install $DESKTOP_PACKAGES || say "going on without a window"
  fi
}

setup_bench() {
  check_go
  check_node
  npm_ci test
}

setup_dist() {
  setup_run
  local -a packages=()
  # shellcheck disable=SC2206 # a list
  can_build_desktop || packages+=($DESKTOP_PACKAGES)
  have makensis || packages+=(nsis)
  have zip || packages+=(zip)
  have objdump || packages+=(binutils)
  if [ "${#packages[@]}" -gt 0 ] && ! { [ "$(uname -s)" = Linux ] && apt_install "${packages[@]}"; }; then
    fail "make dist needs: ${packages[*]}"
  fi
}

# The S3 server that tests of snapshots run against.
VERSITYGW=v1.8.0

# versitygw: installs it beside the built programs.
versitygw() {
  local program=build/bin/versitygw-$VERSITYGW
  [ -x "$program" ] && return
  say "building the S3 server for tests (versitygw $VERSITYGW)"
  local work
  work=$(mktemp -d)
  # In a folder of its own: it has nothing to do with this module.
  (cd "$work" && GOFLAGS='' GOBIN="$work" CGO_ENABLED=0 go install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW" >&2) ||
    fail "versitygw could not be built"
  mkdir -p build/bin
  mv "$work/versitygw$(go env GOEXE)" "$program"
  rm -rf "$work"
}

setup_test() {
  check_go
  check_node
  npm_ci frontend
  npm_ci test
  versitygw
  local -a packages=()
  # shellcheck disable=SC2206 # a list
  can_build_desktop || packages+=($DESKTOP_PACKAGES)
  have Xvfb || packages+=(xvfb)
  # A bare system has no font at all, and pages without one have no text.
  have fc-list && [ -n "$(fc-list 2>/dev/null | head -n 1)" ] || packages+=(fontconfig fonts-liberation)
  # shellcheck disable=SC1091 # only the name of the system
  if ! find_chromium >/dev/null && [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" = debian ]; then
    packages+=(chromium)
  fi
  if [ "${#packages[@]}" -gt 0 ] && ! { [ "$(uname -s)" = Linux ] && apt_install "${packages[@]}"; }; then
    fail "make test needs: ${packages[*]}"
  fi
  if ! find_chromium >/dev/null; then
    # Ubuntu's own is a snap, which cannot see the folders that tests use.
    say "installing Chromium for the browser tests"
    local -a flags=()
    ! can_apt || flags=(--with-deps)
    (cd test && npx --no-install playwright-core install "${flags[@]}" chromium >&2) ||
      fail "no Chromium: install Google Chrome or Chromium, or set CHROMIUM to its path"
  fi
}

case ${1:-} in
  run) setup_run ;;
  bench) setup_bench ;;
  dist) setup_dist ;;
  test) setup_test ;;
  kind) if has_display && can_build_desktop; then echo desktop; else echo headless; fi ;;
  chromium) find_chromium ;;
  *) fail "usage: scripts/setup.sh run|bench|dist|test|kind|chromium" ;;
esac
