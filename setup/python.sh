#!/usr/bin/env bash
# Prints the Python that the virtual environment is made with: the `python3` on PATH if it is 3.11 to 3.14, else the
# newest of those. One that can make virtual environments comes before one that cannot. Status 1: there is none.
set -euo pipefail

path_of() { # the real program behind a name, if it is in range and runs
    "$1" -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 14) or sys.exit(1); print(sys.executable)' 2>/dev/null
}

found=()
for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if program=$(path_of "$name"); then found+=("$program"); fi
done
for program in "${found[@]}"; do
    if "$program" -c 'import ensurepip, venv' 2>/dev/null; then
        printf '%s\n' "$program"
        exit
    fi
done
if ((${#found[@]})); then printf '%s\n' "${found[0]}"; else exit 1; fi
