#!/bin/sh
# fetch_consul.sh FOLDER: puts a consul for the tests into FOLDER, unless one is on the PATH.
# It is Debian 11's, the last Debian that ships one. apt brings it from the mirror that this machine uses anyway and
# checks its signatures; nothing is installed, no list of the machine's changes, and no rights are needed.
set -eu

folder=$1
if command -v consul >/dev/null || [ -x "$folder/consul" ]; then
  exit 0
fi

fail() {
  echo "no consul to test against: $1; put one on the PATH" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this machine has no apt-get to bring it"
mkdir -p "$folder"
work=$(mktemp -d "$(cd "$folder" && pwd)/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources.d"

# As root apt would fetch as another user, who may not write here.
apt() {
  (cd "$work" && apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@")
}
old_apt() {
  apt -o Dir::Etc::SourceList="$work/sources" -o Dir::Etc::SourceParts="$work/sources.d" "$@"
}
mirror() {
  "$@" indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1
}

found=$(mirror apt-get)
if [ -z "$found" ]; then # a new machine has no lists yet; some of its sources may fail
  apt update || true
  found=$(mirror apt)
fi
[ -n "$found" ] || fail "apt finds no mirror of Debian in this machine's sources"
echo "deb $found bullseye main" >"$work/sources"
old_apt update || fail "apt-get update failed for bullseye of $found"
old_apt download consul || fail "apt-get download failed for consul, bullseye of $found"
dpkg -x "$work"/consul_*.deb "$work/unpacked"
mv "$work/unpacked/usr/bin/consul" "$folder/consul"
