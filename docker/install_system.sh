#!/usr/bin/env bash
# Installs what the images need from Debian 12: Python 3.11 for our engine, and Python 3.9, which the
# prebuilt Caffe needs, from Debian 11. Run as root in an empty Debian 12.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# From wherever this Debian gets its packages.
mirror=$(find /etc/apt \( -name '*.sources' -o -name '*.list' \) -exec cat {} + |
  sed -rn 's/^URIs: *(\S+).*/\1/p; s/^deb (\[[^]]*\] )?(\S+) .*/\2/p' | sed -n 1p)
[ -n "$mirror" ] || { echo "install_system.sh: /etc/apt names no source of packages" >&2; exit 1; }
echo "deb $mirror bullseye main" > /etc/apt/sources.list.d/bullseye.list
# Nothing of Debian 11 but what is asked for by name, and what that needs.
printf 'Package: *\nPin: release n=bullseye\nPin-Priority: 100\n' > /etc/apt/preferences.d/bullseye
apt-get update -q
apt-get install -q -y --no-install-recommends \
  ca-certificates libgomp1 python3 python3-venv python3.9 libpython3.9
# pip needs distutils, which Debian packs by itself; Debian 12's package has Python 3.11's only, and
# its name can be installed once.
(cd /tmp && apt-get download -q python3-distutils/bullseye && dpkg-deb -x python3-distutils_*.deb distutils)
cp -r /tmp/distutils/usr/lib/python3.9/distutils /usr/lib/python3.9/
rm -rf /tmp/distutils /tmp/python3-distutils_*.deb
rm -rf /var/lib/apt/lists/*
