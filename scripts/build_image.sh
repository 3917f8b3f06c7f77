#!/usr/bin/env bash
# Builds the image `cpu` of the Dockerfile where no Docker engine runs, from an empty Debian root, and
# runs docker/smoke_test.sh in it. Needs root, debootstrap and buildah; some 5 GB and ten minutes.
#
#   scripts/build_image.sh [FOLDER] [OPTION OF buildah build ...]       default folder: build/image
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-build/image}")
[ $# -eq 0 ] || shift
for tool in debootstrap buildah; do
  command -v "$tool" > /dev/null || { echo "build_image.sh: $tool is missing (apt-get install $tool)" >&2; exit 2; }
done
mkdir -p "$folder"
buildah=(buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver vfs)

if [ ! -f "$folder/debian.tar" ]; then
  debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/debian"
  tar -C "$folder/debian" -cf "$folder/debian.tar.part" .
  mv "$folder/debian.tar.part" "$folder/debian.tar"
  rm -rf "$folder/debian"
fi
empty=$("${buildah[@]}" from scratch)
"${buildah[@]}" add --quiet "$empty" "$folder/debian.tar" /
"${buildah[@]}" commit --quiet --rm "$empty" docker.io/library/debian:bookworm-slim > /dev/null

"${buildah[@]}" build --layers --isolation chroot --pull=never --target cpu --tag deepdream "$@" .
container=$("${buildah[@]}" from --pull=never localhost/deepdream)
trap '"${buildah[@]}" rm "$container" > /dev/null' EXIT
"${buildah[@]}" run --isolation chroot --user dreamer "$container" -- /opt/build/docker/smoke_test.sh
