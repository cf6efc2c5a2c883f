#!/usr/bin/env bash
# Says which programs are missing on this machine, all of them at once.
set -uo pipefail
missing=0
need() { # what it is, command that succeeds if it is there
	if ! "${@:2}" >/dev/null 2>&1; then
		echo "expected $1" >&2
		missing=1
	fi
}
at_least() { # wanted, found
	[[ -n $2 && $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

need "Go 1.26 or newer, found: $(go env GOVERSION 2>&1 | head -n 1)" at_least 1.26 "$(go env GOVERSION 2>/dev/null | sed 's/^go//')"
need "Python 3.10 or newer, found: $(python3 --version 2>&1 | head -n 1)" python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'
need "Python's venv module (Debian and Ubuntu: apt install python3-venv)" python3 -c 'import venv, ensurepip'
need "Node.js 20 or newer, found: $(node --version 2>&1 | head -n 1)" at_least 20 "$(node --version 2>/dev/null | sed 's/^v//')"
for program in npm curl openssl unshare ip; do
	need "the program $program" command -v "$program"
done
exit "$missing"
