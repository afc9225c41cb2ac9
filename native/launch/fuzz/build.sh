#!/bin/sh
# Builds the parsers of the native program with sanitizers and counted places, into build/fuzz. Stamped by content.
set -eu
cd "$(dirname "$0")"
compiler=${CC:-gcc}
flags="-std=c17 -g -O1 -Wall -Wextra -Werror -Wno-unused-function -D_GNU_SOURCE= -fno-omit-frame-pointer \
-fsanitize=address,undefined -fno-sanitize-recover=all"
parsers="../reader.c ../guard_order.c ../launch_order.c ../command.c ../frame.c"
out=../build/fuzz
stamp=$({ printf '%s\n' "$compiler $flags"; cat ./*.c ./*.h ../*.c ../*.h; } | sha256sum)
if [ -x "$out/harness" ] && [ "$(cat "$out/stamp" 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
# What counts places is not counted itself, or it would call itself for ever.
# shellcheck disable=SC2086 # flags are words
{
  "$compiler" $flags -c -o "$work/harness.o" harness.c
  for source in $parsers descriptions.c control.c; do
    "$compiler" $flags -fsanitize-coverage=trace-pc -I.. -c -o "$work/$(basename "$source" .c).o" "$source"
  done
  "$compiler" $flags -o "$work/harness" "$work"/*.o
}
mv -f "$work/harness" "$out/harness.$$"
mv -f "$out/harness.$$" "$out/harness"
printf '%s\n' "$stamp" >"$out/stamp.$$"
mv -f "$out/stamp.$$" "$out/stamp"
