"""`make fuzz`: one target tried by atheris, which sees what each input reaches and goes on from there (libFuzzer).

    python -m tests.fuzz journal -max_total_time=60

Counterpart: `targets.py`. What it learns stays in `var/fuzz/TARGET`; what breaks a target is left there as `crash-…`:
copy it into `tests/fuzz/seeds/TARGET`, so that the suite tries it from then on.
"""

import sys
from pathlib import Path

import atheris

from gateway.settings import PROJECT

with atheris.instrument_imports(include=["gateway.asterisk", "gateway.domain", "gateway.api.telling"]):
    from tests.fuzz.targets import LIMIT_BYTES, SEEDS, TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    learnt: Path = PROJECT / "var" / "fuzz" / name
    learnt.mkdir(parents=True, exist_ok=True)
    folders = [str(learnt), str(SEEDS / name)]
    limits = [f"-max_len={LIMIT_BYTES}", "-timeout=10", f"-artifact_prefix={learnt}/"]
    atheris.Setup([sys.argv[0], *limits, *options, *folders], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
