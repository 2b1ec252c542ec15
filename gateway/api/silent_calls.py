"""Silent calls: a caller who does not speak is asked for a key.

Counterparts: `gateway/listening.py`, which also tells of who is silent and of the keys; `*9` on the operator's phone
does the same (`dialplan/centre.conf`).
"""

from gateway.api.auth import forbidden
from gateway.api.calls import CallPath, call_of, has_taken
from gateway.api.context import Context
from gateway.api.routes import route
from gateway.domain.audit import Actor
from gateway.domain.tokens import May, Token


async def ask_for_key(context: Context, path: CallPath, token: Token, actor: Actor) -> None:
    """Has the caller hear, and only him, in the middle of the talk: if you cannot speak, press any key. Each key that
    he presses is an event, `call.key_pressed`. Operators ask callers with whom they talk, supervisors and admins any.
    The same as `*9` on the operator's phone during the talk."""
    call = await call_of(context, path.id)
    if not token.may(May.ACT_FOR_OTHERS) and not await has_taken(context, token, call):
        raise forbidden(token, "speak to somebody else's caller")
    await context.listening.ask_for_key(call, actor.name)


ROUTES = (
    route(
        "POST",
        "/v1/calls/{id}/ask-for-key",
        ask_for_key,
        "Ask a silent caller for a key",
        may=May.ACT_FOR_SELF,
        problems=(409, 502),
        subject="calls",
    ),
)
