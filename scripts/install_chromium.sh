#!/usr/bin/env bash
# Installs Chromium and its driver from Debian's packages, for tests/test_browser.py, and prints the
# paths of both. Running it again is free.
#
#   scripts/install_chromium.sh
#
# Exit status: 0 both are there, 2 they are not, and this is no machine to install them on (one line
# on stderr says why), 1 the installation failed (apt-get's own words on stderr).
set -euo pipefail

find_both() {
  browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) &&
    driver=$(command -v chromedriver) && [ -n "$browser" ] && [ -n "$driver" ]
}

if ! find_both; then
  if ! command -v apt-get >/dev/null; then
    echo "install_chromium.sh: no chromium and chromedriver on the PATH, and no apt-get to install" \
      "them with" >&2
    exit 2
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "install_chromium.sh: no chromium and chromedriver on the PATH; install them:" \
      "sudo apt-get install chromium chromium-driver" >&2
    exit 2
  fi
  export DEBIAN_FRONTEND=noninteractive
  wait_for_others=(-o DPkg::Lock::Timeout=120)
  install=(apt-get "${wait_for_others[@]}" install -y -qq --no-install-recommends)
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # The lists of a fresh machine are empty, or older than what the archive still has.
  "${install[@]}" chromium chromium-driver >"$log" 2>&1 || {
    apt-get "${wait_for_others[@]}" update -qq >"$log" 2>&1 || true
    "${install[@]}" chromium chromium-driver >"$log" 2>&1
  } || {
    echo "install_chromium.sh: apt-get cannot install chromium and chromium-driver:" >&2
    tail -n 5 "$log" >&2
    exit 1
  }
  find_both || {
    echo "install_chromium.sh: installed, but not on the PATH" >&2
    exit 1
  }
fi
echo "$browser"
echo "$driver"
