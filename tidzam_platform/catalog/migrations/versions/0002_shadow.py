"""What stable and canary said of the same windows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadow_hours",
        sa.Column("stable", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("canary", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("windows", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("stable", "canary", "hour", name=op.f("pk_shadow_hours")),
    )
    op.create_table(
        "shadow_disagreements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stable", sa.Integer(), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("start", sa.String(length=255), nullable=False),
        sa.Column("stable_class", sa.String(length=255), nullable=False),
        sa.Column("stable_score", sa.Double(), nullable=False),
        sa.Column("canary_class", sa.String(length=255), nullable=False),
        sa.Column("canary_score", sa.Double(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_disagreements")),
    )
    with op.batch_alter_table("shadow_disagreements", schema=None) as batch_op:
        batch_op.create_index("ix_shadow_disagreements_pair", ["stable", "canary", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("shadow_disagreements", schema=None) as batch_op:
        batch_op.drop_index("ix_shadow_disagreements_pair")

    op.drop_table("shadow_disagreements")
    op.drop_table("shadow_hours")
