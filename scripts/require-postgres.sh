#!/bin/sh
# Check for a PostgreSQL server, which one test needs. As root on Debian, install it and print the command; otherwise
# print the command only. Without a server, that test is skipped.
set -u

is_installed() {
    command -v initdb >/dev/null 2>&1 && return 0
    for program in "${POSTGRES_FOLDER:-/usr/lib/postgresql}"/*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}

is_installed && exit 0
echo "No PostgreSQL server was found." >&2
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Install PostgreSQL with your package manager, and add the folder that contains initdb to the PATH." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "Install it with:  sudo apt-get install postgresql" >&2
    exit 1
fi
apt-cache show postgresql >/dev/null 2>&1 || { echo "+ apt-get update"; apt-get update -qq; }
echo "+ apt-get install -y --no-install-recommends postgresql"
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql || exit 1
is_installed && exit 0
echo "It is installed, but its initdb was not found below /usr/lib/postgresql." >&2
exit 1
