#!/usr/bin/env bash
# Makes .venv: the packages of requirements.lock, each checked against its hash, and the project itself (editable).
# Says nothing when .venv is as the lock wants it; makes it anew when the lock, the Python or the folder has changed.
#
#   setup/venv.sh             both
#   setup/venv.sh packages    only the packages (the Dockerfile keeps them in a layer of their own)
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

checksum() { sha256sum "$@" | cut -d ' ' -f 1; }

# What .venv was made from is kept inside it, so that whoever deletes or copies it deletes or copies that too.
packages="$(checksum requirements.lock) in $PWD"
project=$(checksum pyproject.toml)
as_made() { [ "$(cat ".venv/made-from-$1" 2>/dev/null)" = "$2" ]; }

if as_made packages "$packages" && as_made project "$project" && .venv/bin/python -c '' 2>/dev/null; then exit; fi

pip() { .venv/bin/python -m pip --disable-pip-version-check install --no-input "$@"; }

make_packages() {
    # Wheels only: nothing foreign is run while installing.
    "$1" -m venv --clear .venv && pip --require-hashes --only-binary :all: --requirement requirements.lock
}

if ! as_made packages "$packages" || ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(setup/python.sh) ||
        fail "There is no Python 3.11 to 3.14 here. Remedy: install the packages python3 and python3-venv."
    patiently "Python packages ($("$python" --version))" var/setup/venv.log make_packages "$python" ||
        fail "Remedy: if the network is to blame, run the same command again."
    printf '%s\n' "$packages" >.venv/made-from-packages
fi
if [ "${1:-}" = packages ]; then exit; fi
patiently "Gateway 112 into .venv" var/setup/project.log pip --quiet --no-deps --no-build-isolation --editable . ||
    fail "Remedy: mend pyproject.toml, then run the same command again."
printf '%s\n' "$project" >.venv/made-from-project
