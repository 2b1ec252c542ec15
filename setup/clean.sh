#!/usr/bin/env bash
# Removes all that the set-up and a run have made: var/ (with the call history in it), .venv and the caches.
# recordings/ always stays. On a terminal it asks first when var/ holds a call history.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

if [ -e var/gateway112.db ] && [ -t 0 ]; then
    read -r -p "var/ holds this centre's call history. Delete it? [y/N] " answer
    [[ $answer == [yY]* ]] || fail "Nothing was deleted."
fi
rm -rf var .venv build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache
find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
say "Clean: var/, .venv and caches are gone. recordings/ is as it was."
