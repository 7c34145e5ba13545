#!/bin/sh
# Install the Debian packages whose programs are missing: ops/install.sh PACKAGE...
# Exit status 1 where that is not possible; the reason and the command to type are on stderr.
set -eu

program_of() {
    case $1 in
        openjdk-*) echo java ;;
        maven) echo mvn ;;
        *) echo "$1" ;;
    esac
}

missing=
for package in "$@"; do
    PATH="$PATH:/usr/sbin" command -v "$(program_of "$package")" >/dev/null || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing:$missing; this system has no apt-get, install them with its own package manager" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing:$missing; as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing$missing (apt-get): what the pipeline runs on"
$as_root apt-get -qq update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $missing >/dev/null
