#!/bin/sh
# Installs the npm packages of FOLDER (a package.json with its lockfile; default: pinned/ beside this script) into a cache that is
# keyed by what is installed, and prints where. A second run only prints. Nothing but the lockfile decides what comes, and
# no package runs a script of its own, but for one that links its own binary.
set -eu
umask 022
folder=$(cd "${1:-${0%/*}/pinned}" && pwd -P)
name=$(sed -n 's/^  "name": "\(.*\)",$/\1/p' "$folder/package.json")
hash=$(cat "$folder/package.json" "$folder/package-lock.json" "$0" | sha256sum | cut -c1-16)
# Root's own cache would be closed to the ordinary users that some tests run agents as.
if [ "$(id -u)" = 0 ]; then cache=/var/cache/cordon; else cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/cordon; fi
cache=${CORDON_AGENTS_DIR:-$cache}
target=$cache/$name-$hash
if [ -d "$target" ]; then
  printf '%s\n' "$target"
  exit 0
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/.install-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
cp "$folder/package.json" "$folder/package-lock.json" "$work/"
printf 'installing %s (once)\n' "$name" >&2
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) >&2
# npm 9 (Debian 12's) leaves this link out; an agent's script runs on the Node of the lockfile.
case $(uname -m) in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
[ ! -d "$work/node_modules/node-linux-$arch" ] || ln -sfn "../node-linux-$arch/bin/node" "$work/node_modules/.bin/node"
# Claude Code's package holds a placeholder until this script of its own puts the platform's binary there; it asks no network.
claude=$work/node_modules/@anthropic-ai/claude-code
if [ -f "$claude/install.cjs" ]; then (cd "$claude" && node install.cjs) >&2; fi
chmod 755 "$work"
# Whole or not at all: two installers at once both build, and the first rename wins.
mv -T "$work" "$target" 2>/dev/null || [ -d "$target" ]
printf '%s\n' "$target"
