#!/usr/bin/env bash
# Builds the images twice, from two copies of the last commit in different places, the second time without a build cache,
# and fails unless they are the same to the bit. Takes minutes: the second build begins with nothing.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

(cd "$root/hack/image" && go build -o "$work/image" .)
for copy in "$work/one" "$work/a second/place"; do
  mkdir -p "$copy"
  git -C "$root" archive HEAD | tar -x -C "$copy"
  "$work/image" -root "$copy" -out "$copy/dist" -version v0 -commit "$(git -C "$root" rev-parse --short HEAD)" \
    -platforms "${PLATFORMS:-linux/$(go env GOARCH)}"
  (cd "$copy/dist" && sha256sum ./*.tar) >"$copy/sums"
  export GOCACHE="$work/cache"
done
if ! diff "$work/one/sums" "$work/a second/place/sums"; then
  echo 'The two builds differ.' >&2
  exit 1
fi
cat "$work/one/sums"
echo 'Two builds, one result.'
