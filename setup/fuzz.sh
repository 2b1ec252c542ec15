#!/usr/bin/env bash
# Tries what reads others' bytes (tests/fuzz) with atheris, each target for so many seconds, and says what broke. Before that,
# where no target is named, hypothesis makes up something new for the domain: in the suite it is the same each time.
#
#   setup/fuzz.sh [SECONDS [TARGET…]]     60 seconds, and every target
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

seconds=${1:-60} status=0
targets=("${@:2}")
if ! ((${#targets[@]})); then
    targets=(framing journal invite roster)
    new="$PWD/var/fuzz/new.log"
    patiently "something new for the domain" "$new" .venv/bin/python -m pytest -q -n 2 --hypothesis-profile=roving tests/domain || {
        status=1
        say "What broke it stands in $new: give that example to its test (@example), and mend the code."
    }
fi

atheris=var/setup/fuzz
[ -d "$atheris/atheris" ] ||
    patiently "atheris into $atheris" var/setup/fuzz.log .venv/bin/python -m pip install --no-input --no-deps --only-binary :all: --target "$atheris" atheris ||
    fail "Remedy: atheris has wheels for Linux on x86_64 alone; without it the suite still tries tests/fuzz by hypothesis."

for target in "${targets[@]}"; do
    log=var/fuzz/$target.log
    if patiently "fuzzing $target" "$log" env PYTHONPATH="$atheris" .venv/bin/python -m tests.fuzz "$target" "-max_total_time=$seconds"; then
        grep '^Done ' "$log" || true
    else
        status=1
        say "What broke it lies in var/fuzz/$target/crash-…: copy it into tests/fuzz/seeds/$target and mend the code."
    fi
done
exit "$status"
