#!/usr/bin/env bash
# Makes DIRECTORY/nginx: the machine's own, or else that of Debian's packages, which is unpacked there with the
# libraries that it needs. Nothing is installed on the machine.
set -euo pipefail
dir=$(realpath -m "${1:?usage: test/nginx.sh DIRECTORY}")
rm -rf "$dir"
mkdir -p "$dir"
if own=$(command -v nginx); then
	ln -s "$own" "$dir/nginx"
	"$dir/nginx" -v
	exit
fi
command -v apt-get >/dev/null || { echo "expected nginx, or apt-get to fetch it with; install nginx" >&2; exit 1; }
cd "$dir"
mkdir -p lists/partial cache/archives/partial # the machine's own lists may be old, or none
apt() { apt-get -qq -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User="" "$@" >/dev/null; }
apt update && apt download nginx libpcre2-8-0 ||
	{ echo "expected the package nginx of Debian 12 or Ubuntu 24.04; or install nginx" >&2; exit 1; }
rm -rf lists cache
for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done
libraries=$(find "$dir/usr/lib" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$libraries" "$dir/usr/sbin/nginx" >nginx
chmod +x nginx
./nginx -v
