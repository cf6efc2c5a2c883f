#!/usr/bin/env bash
# Makes DIRECTORY/redis-server: the machine's own, or else that of Debian's packages, which are unpacked there with the
# libraries that it needs. Nothing is installed on the machine.
set -euo pipefail
dir=$(realpath -m "${1:?usage: test/redis.sh DIRECTORY}")
rm -rf "$dir"
mkdir -p "$dir"
if own=$(command -v redis-server); then
	ln -s "$own" "$dir/redis-server"
	exit
fi
command -v apt-get >/dev/null || { echo "expected redis-server, or apt-get to fetch it with; install redis-server" >&2; exit 1; }
cd "$dir"
mkdir -p lists/partial cache/archives/partial # the machine's own lists may be old, or none
apt() { apt-get -qq -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User="" "$@" >/dev/null; }
apt update && apt download redis-tools libatomic1 libjemalloc2 liblzf1 ||
	{ echo "expected the package redis-tools of Debian 12 or Ubuntu; or install redis-server" >&2; exit 1; }
rm -rf lists cache
for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done
ln -s redis-check-rdb usr/bin/redis-server # one program under several names
libraries=$(find "$dir/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$libraries" "$dir/usr/bin/redis-server" >redis-server
chmod +x redis-server
./redis-server --version
