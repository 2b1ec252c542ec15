"""From how many calls on a trunk or a number floods, and how long a trunk may be quiet.

Counterpart: `gateway/store/shelves.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("rules", sa.Column("flood_trunk_per_min", sa.Integer()))
    op.add_column("rules", sa.Column("flood_factor", sa.Float(), nullable=False, server_default="5"))
    op.add_column("rules", sa.Column("flood_number_per_10min", sa.Integer(), nullable=False, server_default="10"))
    op.add_column("rules", sa.Column("quiet_after_min", sa.Integer(), nullable=False, server_default="30"))
