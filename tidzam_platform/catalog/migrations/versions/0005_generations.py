"""What closes the loop: test sets, scores on them, changes of classes, the queue of labels, the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "test_sets",
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("store_key", sa.String(length=255), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_test_sets")),
    )
    op.create_index("ix_test_sets_kind_made_at", "test_sets", ["kind", "made_at"])
    op.create_table(
        "generation_scores",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("test_set", sa.String(length=64), nullable=False),
        sa.Column("taxonomy", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("store_key", sa.String(length=255), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation"], ["generations.number"], name=op.f("fk_generation_scores_generation_generations")
        ),
        sa.ForeignKeyConstraint(
            ["test_set"], ["test_sets.version"], name=op.f("fk_generation_scores_test_set_test_sets")
        ),
        sa.PrimaryKeyConstraint("generation", "test_set", "taxonomy", name=op.f("pk_generation_scores")),
    )
    op.create_table(
        "taxonomy_changes",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_taxonomy_changes")),
    )
    op.create_table(
        "label_queue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=255), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=255), nullable=True),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("class_path", sa.String(length=255), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_label_queue_clip_id_clips")),
        sa.ForeignKeyConstraint(
            ["generation"], ["generations.number"], name=op.f("fk_label_queue_generation_generations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_queue")),
        sa.UniqueConstraint("generation", "item", name=op.f("uq_label_queue_generation")),
    )
    op.create_index("ix_label_queue_generation_rank", "label_queue", ["generation", "rank"])
    op.create_index(op.f("ix_label_queue_clip_id"), "label_queue", ["clip_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])


def downgrade() -> None:
    for name in ("audit", "label_queue", "taxonomy_changes", "generation_scores", "test_sets"):
        op.drop_table(name)
