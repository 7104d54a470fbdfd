#!/bin/sh
# fetch_chromium.sh: brings a Chromium for the tests of the status page, unless one is on the PATH.
# It is that of the machine's own Debian. A browser needs a hundred packages of the system's, so it is installed, which
# only root may do.
set -eu

if command -v chromium >/dev/null; then
  exit 0
fi

fail() {
  echo "no chromium to look at the page with: $1; put one on the PATH, as with apt-get install chromium" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this machine has no apt-get to bring it"
[ "$(id -u)" = 0 ] || fail "only root may install it here"
bring() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >/dev/null
}
if ! bring 2>/dev/null; then # a new machine has no lists yet
  apt-get -qq update || fail "apt-get update failed"
  bring || fail "apt-get install failed"
fi
command -v chromium >/dev/null || fail "apt-get has installed it, and it is not there"
