"""Whether numbers abroad are called back; and what all tries of a callback have in common, by which many are found.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CALLBACKS = sa.table(
    "callbacks", sa.column("id"), sa.column("tries", sa.JSON()), sa.column("closed_at"), sa.column("only_why")
)


def upgrade() -> None:
    op.add_column("rules", sa.Column("callback_abroad", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("callbacks", sa.Column("only_trunk", WORDS))
    op.add_column("callbacks", sa.Column("only_why", WORDS))
    # of a task with more tries only the last one's trunk was kept: it is not known whether all came on one
    op.execute("UPDATE callbacks SET only_trunk = trunk WHERE try_count = 1")
    connection = op.get_bind()
    tasks = connection.execute(sa.select(CALLBACKS.c.id, CALLBACKS.c.tries).where(CALLBACKS.c.closed_at.is_(None)))
    for task_id, tries in tasks.all():
        whys = {each["why"] for each in tries}
        if len(whys) == 1:
            connection.execute(sa.update(CALLBACKS).where(CALLBACKS.c.id == task_id).values(only_why=whys.pop()))
