"""when a leased delivery was due, and counts of what dispatchers did

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('delivery', sa.Column('due_at', sa.BigInteger()))
    op.create_table(
        'tally',
        sa.Column('name', sa.String(length=20), nullable=False),
        sa.Column('endpoint_id', sa.String(length=40), nullable=False),
        sa.Column('label', sa.String(length=30), nullable=False),
        sa.Column('count', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('name', 'endpoint_id', 'label', name=op.f('pk_tally')),
    )


def downgrade() -> None:
    op.drop_table('tally')
    op.drop_column('delivery', 'due_at')
