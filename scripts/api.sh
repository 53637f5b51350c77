#!/usr/bin/env bash
# Keeps the page's types what the inspector's API is.
#
#   scripts/api.sh write   writes frontend/openapi.json and the types made from it
#   scripts/api.sh check   fails when they are not what it would write
set -euo pipefail
cd "$(dirname "$0")/.."

description=frontend/openapi.json
types=frontend/src/lib/api/schema.d.ts

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go run ./build/openapi >"$work/openapi.json"
(cd frontend && npx --no-install openapi-typescript "$work/openapi.json" -o "$work/schema.d.ts" >"$work/log" 2>&1) ||
  { cat "$work/log" >&2; exit 1; }

case ${1:-} in
  write)
    cp "$work/openapi.json" "$description"
    cp "$work/schema.d.ts" "$types"
    ;;
  check)
    if ! diff -u "$description" "$work/openapi.json" || ! diff -u "$types" "$work/schema.d.ts"; then
      echo "api: $description or $types is not what the code says: run make api" >&2
      exit 1
    fi
    ;;
  *)
    echo "usage: scripts/api.sh write|check" >&2
    exit 2
    ;;
esac
