#!/bin/sh
# Builds the native program into build/launch. Stamped by content: with nothing changed it only compares and ends.
set -eu
cd "$(dirname "$0")"
compiler=${CC:-gcc}
# No external build tool: the program is a dozen small files, compiled in one go.
flags="-std=c17 -O2 -static-pie -fPIE -Wall -Wextra -Werror -Wshadow -Wformat=2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE= \
-Wl,-z,relro,-z,now,-z,noexecstack"
stamp=$({ printf '%s\n' "$compiler $flags"; cat ./*.c ./*.h; } | sha256sum)
if [ -x build/launch ] && [ "$(cat build/stamp 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi
mkdir -p build
# A name of its own, renamed at the end: two builds at once never run a half-written program.
out=build/launch.$$
trap 'rm -f "$out"' EXIT
# shellcheck disable=SC2086 # flags are words
"$compiler" $flags -o "$out" ./*.c
mv -f "$out" build/launch
printf '%s\n' "$stamp" >build/stamp.$$
mv -f build/stamp.$$ build/stamp
