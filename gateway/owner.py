"""Whose a centre is: the user that its gateway runs as. Whoever else writes into its run-time state leaves behind what
that user cannot read; who may not look into it sees nothing.

Counterparts: `gateway112` and its commands at this machine ask here before they touch anything; `store/usable.py` tells
of the database's files, whoever they belong to.
"""

import os
import pwd
import shlex
from pathlib import Path

from gateway import charge
from gateway.settings import CONFIG_VARIABLE, ENV_PREFIX, PROJECT, Settings


def name(user_id: int) -> str:
    """The user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def stranger(settings: Settings, command: str) -> str | None:
    """Why this user is not to write to the centre's run-time state, with the remedy: another one owns it, who could not
    read what this one leaves there. None where that is this user or root, or nobody knows yet."""
    var, owner = settings.paths.var, of(settings.paths.var)
    if owner in (None, 0, os.geteuid()):
        return None
    user, remedy = name(owner), as_user(owner, command)
    what, own = f"{var} belongs to {user}", f"chown -R root {var}"
    if os.geteuid() == 0 and not os.path.exists(var):
        what, own = f"{var} is not there, and the folder for it belongs to {user}", f"mkdir -p {var}"
        remedy = f"see that {CONFIG_VARIABLE} names the settings of the centre; for a new one {remedy}"
    if os.geteuid() == 0:
        remedy += f"; or, where root is to run this centre, {own}"
    return (
        f"{what}, and you are {name(os.geteuid())}: what you write there the gateway could not read. Remedy: {remedy}"
    )


def shut_out(settings: Settings, command: str, *, runs: bool = False) -> str | None:
    """Why this user cannot look into the centre's run-time state at all, with the remedy; None where it can. `runs`
    where the command is the centre itself: in a container, say, whose folder is one of the host's."""
    var, user = settings.paths.var, name(os.geteuid())
    try:
        (var / charge.FILE).stat()
    except PermissionError:
        owner = of(var)
        remedy = "open it to this user" if owner is None else as_user(owner, command)
        own = f"; or, where {user} is to run this centre, as root: chown -R {user} {var}" if runs else ""
        return f"{var} is shut to you, {user}. Remedy: {remedy}{own}"
    except OSError:  # it is not there yet, or whoever needs it says what is wrong with it
        pass
    return None


def of(var: Path) -> int | None:
    """The user that the centre's gateway runs as, by what it made when it took charge; before that by the folder, and
    before there is one, for root alone, which may write anywhere, by the one that it is to be made in. None where
    nobody knows."""
    for path in (var / charge.FILE, var, *var.parents):
        try:
            return path.stat().st_uid
        except PermissionError:
            continue  # the folder that it lies in can be looked at
        except FileNotFoundError:
            if path == var and os.geteuid():
                return None
        except OSError:
            return None
    return None


def as_user(owner: int, command: str) -> str:
    """The command as that user."""
    user = name(owner)
    config = os.environ.get(CONFIG_VARIABLE)
    named = f"{CONFIG_VARIABLE}={Path(config).absolute()} " if config else ""
    # by their names alone: there may be a password in one
    others = sorted(each for each in os.environ if each.startswith(ENV_PREFIX) and each != CONFIG_VARIABLE)
    kept = f"--preserve-env={','.join(others)} " if others else ""
    # sudo takes a number behind a # alone, and a shell takes that for the beginning of a remark
    return f"sudo -u {shlex.quote(f'#{user}') if user.isdigit() else user} {kept}{named}{PROJECT}/.venv/bin/{command}"
