"""A centre's folders are for one Asterisk: who starts a second one on them is told, before anything there is touched.

Counterpart: `gateway112 asterisk` and `gateway112 run` claim the folders and let Asterisk inherit the claim, so that it
lasts exactly as long as Asterisk does.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from gateway import owner
from gateway.settings import Settings, SettingsError


class CannotBeUsed(SettingsError):
    """A folder is not there and cannot be made, or nobody can write to it."""


def claim(settings: Settings, tell: Callable[[str], object] | None = None) -> list[int]:
    """Open files that hold `paths.var`, and `paths.recordings` for a centre of this name. They are inheritable.

    Raises SettingsError when another Asterisk holds one of them, or it cannot be made. Where there is a `tell`, that
    hears it where it is the recordings' disk that is not there, or can only be read: no call waits for a recording.
    """
    name = settings.centre.name
    held: list[int] = []
    try:
        for key, folder, file, remedy in (
            (
                "paths.var",
                settings.paths.var,
                settings.asterisk_dir / "claim",
                "set paths.var, and the ports, for a second centre",
            ),
            (
                "paths.recordings",
                settings.paths.recordings,
                settings.paths.recordings / f".claim-{name}",
                "set paths.recordings or centre.name for a second centre: its calls would have the same names",
            ),
        ):
            try:
                held.append(_hold(folder, file, key, remedy))
            except CannotBeUsed as error:
                if tell is None or key != "paths.recordings":
                    raise
                tell(f"{error} Until then calls are answered, and NOT recorded.")
    except SettingsError:
        for descriptor in held:
            os.close(descriptor)
        raise
    return held


def _hold(folder: Path, file: Path, key: str, remedy: str) -> int:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        own = ""
        if isinstance(error, PermissionError):  # root has started Asterisk here once, or the folder is a container's
            user = owner.name(os.geteuid())
            own = f"where {user} is to run this centre, as root: chown -R {user} {folder}; or "
        raise CannotBeUsed(
            f"settings: {key}: {file.parent} cannot be used: {error.strerror}. Remedy: {own}name a folder that this "
            f"user can write to (gateway.toml or GATEWAY112_{key.replace('.', '_').upper()})."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SettingsError(
            f"settings: {key}: {file.parent} belongs to an Asterisk that runs. Remedy: end that one, or {remedy}."
        ) from None
    os.set_inheritable(descriptor, True)
    return descriptor
