"""what X bills, by day

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'lookup_usage',
        sa.Column('day', sa.String(length=10), nullable=False),
        sa.Column('users', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('day', name=op.f('pk_lookup_usage')),
    )


def downgrade() -> None:
    op.drop_table('lookup_usage')
