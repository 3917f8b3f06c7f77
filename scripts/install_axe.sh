#!/usr/bin/env bash
# Fetches axe-core, which looks for what keeps people out of a page, for tests/test_studio_page.py,
# and prints the path of its script. It is a tool of the tests only (MPL-2.0), kept in build/ and no
# part of what is installed. Running it again is free.
#
#   scripts/install_axe.sh
#
# Exit status: 0 it is there, 2 it is not, and cannot be fetched (one line on stderr says why).
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.14.1
folder=build/axe-core-$version

if [ ! -f "$folder/axe.min.js" ]; then
  if ! command -v npm >/dev/null; then
    echo "install_axe.sh: no npm on the PATH to fetch axe-core with" >&2
    exit 2
  fi
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  if ! npm pack --silent --pack-destination "$tmp" "axe-core@$version" >/dev/null 2>"$tmp/log"; then
    echo "install_axe.sh: npm cannot fetch axe-core: $(tail -n 1 "$tmp/log")" >&2
    exit 2
  fi
  tar -xzf "$tmp/axe-core-$version.tgz" -C "$tmp" package/axe.min.js package/LICENSE
  mkdir -p build
  rm -rf "$folder"
  mv "$tmp/package" "$folder"
fi
echo "$PWD/$folder/axe.min.js"
