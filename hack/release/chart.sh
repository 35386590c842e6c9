#!/usr/bin/env bash
# Packages the chart of a release, whose defaults are the released image: chart.sh REPOSITORY DIGEST TAG DIRECTORY.
# HELM is the helm to use; without it the pinned one is built.
set -euo pipefail
repository="$1" digest="$2" tag="$3" out="$4"
root="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cp -R "$root/config/helm/zim-operator" "$work/"
values="$work/zim-operator/values.yaml"
sed -e "s|^  repository: zim-operator\$|  repository: $repository|" -e "s|^  digest: \"\"\$|  digest: $digest|" \
  "$root/config/helm/zim-operator/values.yaml" >"$values"
for line in "  repository: $repository" "  digest: $digest"; do
  grep --line-regexp --fixed-strings --quiet -- "$line" "$values" || { echo "chart.sh: no place for $line" >&2; exit 1; }
done
${HELM:-go tool "-modfile=$root/hack/tools/helm/go.mod" helm} package "$work/zim-operator" --destination "$out" \
  --version "${tag#v}" --app-version "$tag"
