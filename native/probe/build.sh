#!/bin/sh
# Builds the probe that `cordon doctor --attack` runs inside a session. Stamped by content, as the launcher is.
set -eu
cd "$(dirname "$0")"
compiler=${CC:-gcc}
# Static: it runs in whatever root file system the session has.
flags="-std=c17 -O1 -static -Wall -Wextra -Werror -Wshadow -D_GNU_SOURCE="
stamp=$({ printf '%s\n' "$compiler $flags"; cat ./*.c; } | sha256sum)
if [ -x build/probe ] && [ "$(cat build/stamp 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi
mkdir -p build
out=build/probe.$$
trap 'rm -f "$out"' EXIT
# shellcheck disable=SC2086 # flags are words
"$compiler" $flags -o "$out" ./*.c
mv -f "$out" build/probe
printf '%s\n' "$stamp" >build/stamp.$$
mv -f build/stamp.$$ build/stamp
