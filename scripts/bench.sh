#!/usr/bin/env bash
# Measures the built program against the reference server, in memory and with its
# file store, and writes the tables into docs/performance.md.
#
#   scripts/bench.sh PROGRAM [flags of tailrace bench]
#
# BENCH_DIR is where the servers keep their data; the disk of that folder is
# what is measured. BENCH_DOC is the file the tables go to; empty: none.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$1
shift
doc=${BENCH_DOC-docs/performance.md}
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/tailrace-bench.XXXXXX")
servers=()
clean_up() {
  [ "${#servers[@]}" = 0 ] || kill "${servers[@]}" 2>/dev/null || true
  wait
  rm -rf "$dir"
}
trap clean_up EXIT

# wait_for FILE PID: until the server has said where it listens.
wait_for() {
  for _ in $(seq 100); do
    [ ! -s "$1" ] || return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  echo "bench: a server did not start:" >&2
  cat "$dir"/*.log >&2
  exit 1
}

XDG_CONFIG_HOME=$dir "$program" serve --listen 127.0.0.1:0 --inspect 127.0.0.1:0 --data-dir "$dir/tailrace" \
  --ready-file "$dir/tailrace.json" >"$dir/tailrace.log" 2>&1 &
servers+=($!)
mkdir "$dir/node"
node test/bench/reference.mjs "$dir/file.url" "$dir/node" >"$dir/file.log" 2>&1 &
servers+=($!)
node test/bench/reference.mjs "$dir/memory.url" >"$dir/memory.log" 2>&1 &
servers+=($!)
wait_for "$dir/tailrace.json" "${servers[0]}"
wait_for "$dir/file.url" "${servers[1]}"
wait_for "$dir/memory.url" "${servers[2]}"

tailrace=$(node -p 'JSON.parse(fs.readFileSync(process.argv[1])).data_url' "$dir/tailrace.json")
"$program" bench "tailrace=$tailrace" "node-file=$(cat "$dir/file.url")" "node-memory=$(cat "$dir/memory.url")" \
  --ceiling --disk "$dir" "$@" | tee "$dir/tables.md"
[ -n "$doc" ] || exit 0

version=$(node -p 'require("./test/node_modules/@durable-streams/server/package.json").version')
awk -v tables="$dir/tables.md" -v commit="$(git describe --always --dirty --abbrev=12)" -v version="$version" -v node="$(node --version)" '
  /^<!-- tables/ {
    print; print ""
    printf "Tailrace %s; @durable-streams/server %s on Node.js %s. ", commit, version, node
    while ((getline line < tables) > 0) print line
    print ""; skip = 1
  }
  /^<!-- end of tables/ { skip = 0 }
  !skip' "$doc" >"$dir/doc.md"
cat "$dir/doc.md" >"$doc"
echo "bench: the tables are in $doc" >&2
