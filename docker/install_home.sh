#!/usr/bin/env bash
# Makes the user `dreamer` and, in its home, the walkthrough and the labs as notebooks.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)

useradd --create-home --uid 1000 dreamer
home=/home/dreamer
cp -r "$source/docs/drawings" "$source/examples" "$home/"
/opt/deepdream/bin/jupytext --quiet --to ipynb "$source/docs/walkthrough.py" -o "$home/walkthrough.ipynb"
/opt/deepdream/bin/python "$source/scripts/make_labs.py" --out "$home/labs"
chown -R dreamer:dreamer "$home"
chmod 755 "$home"
mkdir -p /work
chmod 1777 /work
