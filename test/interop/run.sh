#!/bin/sh
# A ledger of ours, checked by the Go project's own implementation of signed notes and tiled logs; then damaged copies, which
# it must refuse. Takes Go and that package from Debian, unpacks them below a temporary folder and installs nothing.
#   sh test/interop/run.sh
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq golang-1.19-go golang-1.19-src golang-golang-x-mod-dev
for package in *.deb; do dpkg -x "$package" "$work"; done
export GOROOT="$work/usr/lib/go-1.19" GOPATH="$work/usr/share/gocode" GO111MODULE=off GOCACHE="$work/cache" GOTOOLCHAIN=local
"$GOROOT/bin/go" build -o tlog "$root/test/interop/tlog.go"
"$root/node_modules/.bin/node" --conditions=cordon-source "$root/test/interop/ledger.ts" "$work/tlog" "$work/home"
