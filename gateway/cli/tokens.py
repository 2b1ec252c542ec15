"""`gateway112 token …`: who may ask the API, in which role.

Counterpart: `gateway/api/tokens.py`.
"""

from argparse import ArgumentParser, Namespace

from rich.console import Group
from rich.text import Text

from gateway.cli import tables
from gateway.cli.client import Json
from gateway.cli.command import Commands, Desk, Reply, command, phone, subject
from gateway.domain.tokens import Role
from gateway.settings import TOKEN_VARIABLE


def add_to(commands: Commands) -> None:
    own = subject(commands, "token", "Who may ask the API, in which role.")
    command(own, "list", list_tokens, example="token list")
    create = command(own, "create", create_token, example="token create Dewi supervisor")
    create.add_argument("name", metavar="NAME", help="the person, as the audit log is to show it")
    create.add_argument("role", choices=[str(role) for role in Role], metavar="ROLE", help=", ".join(Role))
    create.add_argument(
        "--operator", type=phone, metavar="PHONE", help="which operator this is; needed for the role operator"
    )
    _add_days(create)
    rotate = command(own, "rotate", rotate_token, example="token rotate Dewi --overlap 24")
    rotate.add_argument("name", metavar="NAME", help="the person")
    rotate.add_argument(
        "--overlap", type=int, metavar="HOURS", help="how long the token before opens the same (default: 24)"
    )
    _add_days(rotate)
    retire = command(own, "retire", retire_token, example="token retire Dewi")
    retire.add_argument("name", metavar="NAME", help="the person")


def _add_days(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--days",
        type=int,
        metavar="DAYS",
        help="for how many days it opens the API (default: as before; a new one: always)",
    )


async def list_tokens(desk: Desk, _: Namespace) -> Reply:
    """All tokens that are in use. The tokens themselves are kept nowhere: only who has one is known."""
    answer = await desk.api.every("/v1/tokens")
    phones = {each["id"]: each["phone"] for each in (await desk.api.every("/v1/operators"))["items"]}
    rows = [
        (
            each["name"],
            each["role"],
            phones.get(each["operator_id"]),
            *(
                tables.moment(each[name], desk.zone) if each[name] else never
                for name, never in (("expires_at", "never"), ("last_used_at", "never"), ("created_at", ""))
            ),
        )
        for each in answer["items"]
    ]
    return Reply(
        answer,
        tables.table(
            f"Tokens: {len(rows)}",
            ("Name", "Role", "Phone", "Expires", "Used", "Made"),
            rows,
            empty="There are no tokens.",
        ),
    )


async def create_token(desk: Desk, arguments: Namespace) -> Reply:
    """A new token for one person. It is shown this once and never again: hand it over now, on a safe way."""
    body: Json = {"name": arguments.name, "role": arguments.role}
    if arguments.operator is not None:
        body["operator_id"] = (await desk.api.one("operator", phone=arguments.operator))["id"]
    if arguments.days is not None:
        body["valid_days"] = arguments.days
    made = await desk.api.ask("POST", "/v1/tokens", body=body)
    return Reply(made, _shown(desk, made, f"{made['name']} may ask the API as {made['role']}, with this token:"))


async def rotate_token(desk: Desk, arguments: Namespace) -> Reply:
    """A new token for a person who has one, valid for as long again. The one before opens the same for 24 hours, or as
    many as are named (0: it ends now), so that whatever uses it can be given the new one in peace."""
    token = await desk.api.one("token", name=arguments.name)
    body: Json = {}
    if arguments.overlap is not None:
        body["overlap_h"] = arguments.overlap
    if arguments.days is not None:
        body["valid_days"] = arguments.days
    made = await desk.api.ask("POST", f"/v1/tokens/{token['id']}/rotate", body=body, seen=token["version"])
    until = tables.moment(made["previous_until"], desk.zone)
    return Reply(made, _shown(desk, made, f"The token of {made['name']} until {until}, and this one from now on:"))


def _shown(desk: Desk, made: Json, sentence: str) -> Group:
    ends = f" It expires {tables.moment(made['expires_at'], desk.zone)}." if made["expires_at"] else ""
    return Group(
        tables.plain(sentence),
        Text(""),
        tables.plain(f"  {made['token']}"),
        Text(""),
        Text(f"It is not shown again. For these commands it belongs into {TOKEN_VARIABLE}.{ends}"),
    )


async def retire_token(desk: Desk, arguments: Namespace) -> Reply:
    """Takes a person's token back: from now on it opens nothing."""
    token = await desk.api.one("token", name=arguments.name)
    await desk.api.ask("DELETE", f"/v1/tokens/{token['id']}", seen=token["version"])
    return Reply(None, tables.plain(f"The token of {token['name']} opens nothing any more."))
