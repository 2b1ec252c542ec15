#!/usr/bin/env bash
# Writes requirements.lock anew from pyproject.toml: every package that Python 3.11 to 3.14 needs, with its hashes.
# Uses the `uv` on PATH, else one of its own in var/.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=var/setup/uv/bin/uv
    [ -x "$uv" ] || "$(setup/python.sh)" -m venv --clear var/setup/uv
    [ -x "$uv" ] || patiently "uv into var/setup" var/setup/uv.log var/setup/uv/bin/python -m pip install uv ||
        fail "Remedy: install uv by hand (it may lie anywhere on PATH)."
fi

mkdir -p var/setup
fresh=var/setup/requirements.lock
cp requirements.lock "$fresh" 2>/dev/null || true # uv keeps the versions that it finds there, unless told to --upgrade
patiently "requirements.lock" var/setup/lock.log "$uv" pip compile --universal --python-version 3.11 --extra dev \
    --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
    "$@" --output-file "$fresh" pyproject.toml || fail "requirements.lock is unchanged."
if grep -n '://' "$fresh"; then fail "An address has come into the lock (above); requirements.lock is unchanged."; fi
mv "$fresh" requirements.lock
