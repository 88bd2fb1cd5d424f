"""the owner's login

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'owner',
        sa.Column('id', sa.String(length=10), nullable=False),
        sa.Column('password_hash', sa.Text(), nullable=False),
        sa.Column('session_version', sa.String(length=40), nullable=False),
        sa.Column('changed_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_owner')),
    )


def downgrade() -> None:
    op.drop_table('owner')
