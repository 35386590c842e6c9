#!/usr/bin/env bash
# Provides etcd, kube-apiserver and kubectl, the control plane that envtest, the demo and the benchmarks run against.
# Stdout gets one line, the absolute directory that holds them: the value for KUBEBUILDER_ASSETS. Progress goes to stderr.
#
# The first of these that has all three serves:
#   1. $KUBEBUILDER_ASSETS, when set
#   2. bin/k8s/<version>/ of this repository; go.mod beside this script says the version
#   3. a download by setup-envtest into that directory
#   4. a build from the Go module proxy into that directory
# A binary appears there only when it is complete, so a run may be interrupted at any time and repeated.
# ENVTEST_INSTALLED_ONLY=1 skips the download. Only Go and a POSIX userland with bash (3.2 will do) are needed.
set -euo pipefail
export CDPATH=''

readonly binaries='etcd kube-apiserver kubectl'
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
lock='' work='' child=''

say() { printf '%s\n' "$*" >&2; }

die() {
  say "controlplane: $*"
  exit 1
}

# missing DIR prints those of the binaries that DIR lacks.
missing() {
  local b list=''
  for b in $binaries; do
    [ -f "$1/$b" ] && [ -x "$1/$b" ] || list="$list $b"
  done
  printf '%s' "${list# }"
}

# pinned MODULE prints the version, without its v, that go.mod requires of MODULE.
pinned() {
  awk -v m="$1" '{ sub(/^require /, "") } $1 == m && $2 ~ /^v/ { print substr($2, 2); exit }' "$here/go.mod"
}

took() { # SECONDS
  if [ "$1" -lt 60 ]; then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

cleanup() {
  if [ -n "$child" ]; then
    kill -INT -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  if [ -n "$work" ]; then
    rm -rf "$work" || { sleep 1 && rm -rf "$work"; } # a killed compiler may have written once more
  fi
  [ -z "$lock" ] || rm -f "$lock"
}

stop() { # EXIT CODE
  say 'Stopped. What is finished stays; run it again to go on.'
  exit "$1"
}

# sweep DIR removes what runs that were killed have left in DIR.
sweep() {
  local dir pid
  for dir in "$1"/.work.*; do
    pid=${dir#"$1"/.work.}
    kill -0 "${pid%%.*}" 2>/dev/null || rm -rf "$dir" 2>/dev/null || true
  done
}

# run COMMAND... writes its output to $work/log. The command gets a process group of its own: a signal to this script
# ends it at once with all its children.
run() {
  local rc=0
  set -m
  "$@" </dev/null >"$work/log" 2>&1 &
  child=$!
  set +m
  wait "$child" || rc=$?
  child=''
  return "$rc"
}

# try COMMAND... runs it up to three times, for a module proxy may fail now and then.
try() {
  local n
  for n in 1 2 3; do
    run "$@" && return
    say "  Attempt $n of 3 failed: $(tail -n 1 "$work/log")"
    [ "$n" = 3 ] || sleep "$n"
  done
  tail -n 20 "$work/log" >&2
  return 1
}

# take_lock waits until no other run fills the same directory. The lock is a symbolic link, made in one step, to the number
# of the process that holds it. It only saves double work: every run builds aside and moves into place.
take_lock() {
  local holder told=''
  while ! ln -s "$$" "$1/.lock" 2>/dev/null; do
    [ -w "$1" ] || die "cannot write to $1"
    holder=$(readlink "$1/.lock") || { sleep 1; continue; }
    if ! kill -0 "$holder" 2>/dev/null; then
      say "Removing the lock of process $holder, which is gone."
      rm -f "$1/.lock"
      continue
    fi
    [ -n "$told" ] || say "Process $holder is at it already; waiting. (Should it be something else: rm $1/.lock)"
    told=yes
    sleep 1
  done
  lock=$1/.lock
}

# download lets setup-envtest fetch the binaries. Not every patch release is published there: the newest patch of the same
# minor version will do.
download() {
  local want path
  say "Looking for Kubernetes $version with setup-envtest (up to a minute)..."
  for want in "$version" "${version%.*}.x"; do
    if run go -C "$root" tool -modfile=hack/tools/go.mod setup-envtest use "$want" --bin-dir "$work/envtest" -p path; then
      path=$(tail -n 1 "$work/log")
      [ -z "$(missing "$path")" ] || continue
      place "$path"
      say "Took $(basename "$path") from setup-envtest."
      return
    fi
  done
  say "  No download: $(tail -n 1 "$work/log")"
  return 1
}

# place DIR moves those of the binaries in place that DIR has and the target lacks.
place() {
  local b
  for b in $(missing "$assets"); do
    [ ! -f "$1/$b" ] || mv -f "$1/$b" "$assets/$b"
  done
}

# compile BINARY PACKAGE USUALLY
compile() {
  local start=$SECONDS
  [ ! -x "$assets/$1" ] || return 0
  say "Building $1 from the Go module proxy (usually $3 on two cores)..."
  try go -C "$here" build -mod=readonly -buildvcs=false -trimpath -ldflags "$ldflags" -o "$work/$1" "$2" || die "could not build $1"
  place "$work"
  say "  Built $1 in $(took $((SECONDS - start)))."
}

build() {
  local start=$SECONDS v minor ldflags='-s -w' etcd=go.etcd.io/etcd/server/v3 k8s=k8s.io/kubernetes/cmd
  minor=${version#*.}
  for v in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    ldflags="$ldflags -X $v.gitVersion=v$version -X $v.gitMajor=${version%%.*} -X $v.gitMinor=${minor%%.*}"
  done
  say 'Building instead: 4 to 6 minutes in all on two cores the first time, and 3 GB in the caches of Go.'
  say "Fetching the sources of Kubernetes $version and etcd $(pinned $etcd) from the Go module proxy (about 100 MB)..."
  try go -C "$here" list -mod=readonly -deps $etcd $k8s/kube-apiserver $k8s/kubectl || die 'could not fetch the sources'
  say "  Fetched them in $(took $((SECONDS - start)))."
  compile etcd $etcd 'under a minute'
  compile kube-apiserver $k8s/kube-apiserver '3 to 5 minutes'
  compile kubectl $k8s/kubectl 'under a minute'
}

version=$(pinned k8s.io/kubernetes)
[ -n "$version" ] || die "no version of k8s.io/kubernetes in $here/go.mod"
assets=$root/bin/k8s/$version

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  lacks=$(missing "$KUBEBUILDER_ASSETS")
  [ -z "$lacks" ] || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks executable files: $lacks." \
    "Put them there, or unset KUBEBUILDER_ASSETS to have them provided in $assets."
  assets=$(cd "$KUBEBUILDER_ASSETS" && pwd)
fi

if [ -n "$(missing "$assets")" ]; then
  command -v go >/dev/null || die 'Go is needed: https://go.dev/dl/'
  trap cleanup EXIT
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  mkdir -p "$assets"
  take_lock "$assets"
  sweep "$assets"
  work=$(mktemp -d "$assets/.work.$$.XXXXXX")
  # For this machine, whatever is being cross-compiled; without a C compiler; without somebody's go.work. An interrupted go
  # build leaves its temporary files: they go with $work.
  GOOS=$(go env GOHOSTOS) GOARCH=$(go env GOHOSTARCH)
  export GOOS GOARCH CGO_ENABLED=0 GOWORK=off GOTMPDIR="$work"
  if [ -n "$(missing "$assets")" ] && ! download; then
    build
  fi
  say "The control plane is in $assets."
fi
printf '%s\n' "$assets"
