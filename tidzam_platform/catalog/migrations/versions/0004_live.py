"""What the analyzer keeps: live detections, rules of the recorder, where clips came from; annotations of all."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_CLIPS: Final[tuple[tuple[str, Any], ...]] = (
    ("channel", sa.String(length=255)),
    ("start", sa.DateTime(timezone=True)),
    ("generation", sa.Integer()),
    ("class_path", sa.String(length=255)),
    ("score", sa.Double()),
    ("rule_id", sa.Integer()),
    ("destination", sa.String(length=255)),
)
_OF_ANNOTATIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("detection_id", sa.String(length=64)),
    ("recording_id", sa.Integer()),
    ("channel", sa.String(length=255)),
    ("start", sa.DateTime(timezone=True)),
    ("end", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.create_table(
        "recorder_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("specification", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recorder_rules")),
    )
    op.create_table(
        "detections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("class_path", sa.String(length=255), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detections")),
    )
    with op.batch_alter_table("detections", schema=None) as batch_op:
        batch_op.create_index("ix_detections_start", ["start", "id"], unique=False)
        batch_op.create_index("ix_detections_channel_start", ["channel", "start"], unique=False)
        batch_op.create_index("ix_detections_class_start", ["class_path", "start"], unique=False)

    with op.batch_alter_table("clips", schema=None) as batch_op:
        for name, kind in _OF_CLIPS:
            batch_op.add_column(sa.Column(name, kind, nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_clips_rule_id_recorder_rules"), "recorder_rules", ["rule_id"], ["id"]
        )
        batch_op.create_index("ix_clips_channel_start", ["channel", "start"], unique=False)
        batch_op.create_index(op.f("ix_clips_class_path"), ["class_path"], unique=False)
        batch_op.create_index(op.f("ix_clips_rule_id"), ["rule_id"], unique=False)

    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.alter_column("clip_id", existing_type=sa.Integer(), nullable=True)
        for name, kind in _OF_ANNOTATIONS:
            batch_op.add_column(sa.Column(name, kind, nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_annotations_recording_id_recordings"), "recordings", ["recording_id"], ["id"]
        )
        batch_op.create_index(op.f("ix_annotations_detection_id"), ["detection_id"], unique=False)
        batch_op.create_index(op.f("ix_annotations_recording_id"), ["recording_id"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM annotations WHERE clip_id IS NULL")
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_annotations_recording_id"))
        batch_op.drop_index(op.f("ix_annotations_detection_id"))
        batch_op.drop_constraint(op.f("fk_annotations_recording_id_recordings"), type_="foreignkey")
        for name, _ in reversed(_OF_ANNOTATIONS):
            batch_op.drop_column(name)
        batch_op.alter_column("clip_id", existing_type=sa.Integer(), nullable=False)

    with op.batch_alter_table("clips", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_clips_rule_id"))
        batch_op.drop_index(op.f("ix_clips_class_path"))
        batch_op.drop_index("ix_clips_channel_start")
        batch_op.drop_constraint(op.f("fk_clips_rule_id_recorder_rules"), type_="foreignkey")
        for name, _ in reversed(_OF_CLIPS):
            batch_op.drop_column(name)

    op.drop_table("detections")
    op.drop_table("recorder_rules")
