#!/bin/sh
# fetch_promtool.sh FOLDER: puts a promtool for the tests into FOLDER, unless one is on the PATH.
# It is that of the machine's own Debian. apt brings it from the mirror that this machine uses anyway and checks its
# signatures; nothing is installed, and no rights are needed.
set -eu

folder=$1
if command -v promtool >/dev/null || [ -x "$folder/promtool" ]; then
  exit 0
fi

fail() {
  echo "no promtool to check rules with: $1; put one on the PATH" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this machine has no apt-get to bring it"
mkdir -p "$folder"
work=$(mktemp -d "$(cd "$folder" && pwd)/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"

# As root apt would fetch as another user, who may not write here.
apt() {
  (cd "$work" && apt-get -qq -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" "$@")
}
if ! apt download prometheus 2>/dev/null; then # a new machine has no lists yet
  apt -o Dir::State::Lists="$work/lists" update || fail "apt-get update failed"
  apt -o Dir::State::Lists="$work/lists" download prometheus || fail "apt-get download failed for prometheus"
fi
dpkg -x "$work"/prometheus_*.deb "$work/unpacked"
mv "$work/unpacked/usr/bin/promtool" "$folder/promtool"
