"""Legal holds that two people lift, with the reason.

Counterpart: `gateway/store/shelves.py` says what each is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("lift_reason", "lift_asked_by", "lifted_by"):
        op.add_column("legal_holds", sa.Column(name, WORDS, nullable=False, server_default=""))
    op.add_column("legal_holds", sa.Column("lift_asked_at", TIME))
