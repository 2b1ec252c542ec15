"""Over which trunk the call of a disposition came: a number's pranks weigh only where they came in.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("dispositions", sa.Column("trunk", sa.Text()))
    op.execute("UPDATE dispositions SET trunk = (SELECT trunk FROM calls WHERE calls.id = dispositions.call_id)")
