#!/bin/sh
# Takes a fresh Debian 12 (git, some Node and npm present) to a built checkout, and does nothing where that is done.
# Every step is skipped by content, so running it twice costs about a second.
# `setup.sh tests` also brings the programs that only the tests call.
set -eu
root=$(cd "${0%/*}/.." && pwd -P)
cd "$root"

say() { printf 'cordon: %s\n' "$*"; }
fail() { # message, then the command that mends it
  printf 'cordon: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '        run: %s\n' "$2" >&2
  exit 69
}

npm_ci() { # the npm to run
  "$@" ci --ignore-scripts --no-audit --no-fund --loglevel=error >.cordon/npm.log 2>&1 ||
    { tail -n 20 .cordon/npm.log >&2; fail "npm ci failed, see $root/.cordon/npm.log"; }
}

# Two set-ups at once would trip over each other's node_modules.
mkdir -p .cordon
if command -v flock >/dev/null 2>&1 && [ "${CORDON_SETUP_LOCKED:-}" != 1 ]; then
  CORDON_SETUP_LOCKED=1 exec flock .cordon/lock "$0" "$@"
fi

case $(uname -s)-$(uname -m) in
  Linux-x86_64) arch=x64 ;;
  Linux-aarch64 | Linux-arm64) arch=arm64 ;;
  *) fail "Cordon runs on Linux, x86-64 or arm64; this is $(uname -s) $(uname -m)" ;;
esac

# 1. System packages: what is missing, by the program that needs it.
missing=
programs="bwrap:bubblewrap gcc:gcc git:git curl:curl"
[ "${1:-}" != tests ] || programs="$programs openssl:openssl setpriv:util-linux unshare:util-linux mount:mount ps:procps file:file python3:python3 script:bsdutils mkfs.ext4:e2fsprogs patchelf:patchelf prlimit:util-linux"
for pair in $programs; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
[ -e /usr/include/linux/landlock.h ] || missing="$missing linux-libc-dev"
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$missing" ]; then
  install="apt-get install -y --no-install-recommends$missing"
  command -v apt-get >/dev/null 2>&1 || fail "these are missing:$missing" "install them with your system's package manager"
  if [ "$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as="sudo -n"; else
    fail "these system packages are missing:$missing" "sudo apt-get update && sudo $install"
  fi
  say "installing system packages:$missing"
  $as apt-get update -qq >.cordon/apt.log 2>&1 || fail "apt-get update failed, see $root/.cordon/apt.log"
  # shellcheck disable=SC2086 # the package names are ours
  DEBIAN_FRONTEND=noninteractive $as $install >>.cordon/apt.log 2>&1 ||
    fail "the installation failed, see $root/.cordon/apt.log" "$install"
fi

# 2. npm packages, from the lockfile only; no package may run a script of its own at installation.
lock=$(cat package-lock.json package.json | sha256sum | cut -d' ' -f1)
if [ "$(cat node_modules/.cordon-lock 2>/dev/null || true)" != "$lock" ]; then
  say "installing npm packages from package-lock.json"
  # npm leaves out optional packages whose `engines` exclude the Node that it runs on, and some tools ship their binary
  # as such. An older Node therefore fetches the lockfile's own first, which then does the rest.
  new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
  if node -e "$new_enough" 2>/dev/null; then
    npm_ci npm
  else
    NPM_CONFIG_OMIT=dev npm_ci npm
    cp "node_modules/node-linux-$arch/bin/node" .cordon/node
    npm_ci .cordon/node "$(readlink -f "$(command -v npm)")"
  fi
  # npm 9 (Debian 12's) leaves this link out, and every script of ours is to run on the Node of the lockfile.
  ln -sfn "../node-linux-$arch/bin/node" node_modules/.bin/node
  printf '%s\n' "$lock" >node_modules/.cordon-lock
fi
node=node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || fail "the Node.js runtime package node-linux-$arch is not installed" "rm -rf node_modules && ./cordon"
"$node" --version >/dev/null || fail "Node.js 24 from $node does not start on this machine"

# 3. The native programs, then TypeScript. All are incremental.
native/launch/build.sh
native/probe/build.sh
sources=$(git ls-files -s -- packages apps tools tsconfig.json tsconfig.base.json 2>/dev/null | sha256sum | cut -d' ' -f1)
changed=$(git status --porcelain -- packages apps tools 2>/dev/null | head -n 1)
if [ -n "$changed" ] || [ "$(cat .cordon/built 2>/dev/null || true)" != "$sources" ] || [ ! -f apps/cordon/dist/cordon.mjs ]; then
  say "building"
  PATH="$root/node_modules/.bin:$PATH" npm run --silent build || fail "the build failed"
  printf '%s\n' "$sources" >.cordon/built
fi
touch .cordon/ready
