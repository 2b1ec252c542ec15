#!/usr/bin/env bash
# Says which packages of requirements.lock have known weaknesses; uses pip-audit in a folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

tool=var/setup/audit/bin/pip-audit
if [ ! -x "$tool" ]; then
    "$(setup/python.sh)" -m venv --clear var/setup/audit
    patiently "pip-audit into var/setup" var/setup/audit.log var/setup/audit/bin/python -m pip install --no-input pip-audit ||
        fail "NOTHING WAS CHECKED. Remedy: install pip-audit by hand as $tool."
fi
exec .venv/bin/python setup/audit.py "$tool"
