"""what X said, kept with its age; its limits as last seen; what is put by for calls under way

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_COUNTS = ('reserved', 'public_users', 'public_reserved', 'warned_percent')


def upgrade() -> None:
    op.create_table(
        'lookup_cache',
        sa.Column('kind', sa.String(length=10), nullable=False),
        sa.Column('key', sa.String(length=40), nullable=False),
        sa.Column('outcome', sa.String(length=10), nullable=True),
        sa.Column('user_id', sa.String(length=30), nullable=True),
        sa.Column('username', sa.String(length=30), nullable=True),
        sa.Column('profile', sa.JSON(), nullable=True),
        sa.Column('asked_at', sa.BigInteger(), nullable=True),
        sa.Column('fresh_until', sa.BigInteger(), nullable=True),
        sa.Column('claim', sa.String(length=40), nullable=True),
        sa.Column('claimed_until', sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint('kind', 'key', name=op.f('pk_lookup_cache')),
    )
    op.create_index(op.f('ix_lookup_cache_user_id'), 'lookup_cache', ['user_id'])
    op.create_index(op.f('ix_lookup_cache_fresh_until'), 'lookup_cache', ['fresh_until'])
    op.create_index(op.f('ix_lookup_cache_claim'), 'lookup_cache', ['claim'])
    op.create_table(
        'lookup_window',
        sa.Column('call', sa.String(length=20), nullable=False),
        sa.Column('calls', sa.Integer(), nullable=False),
        sa.Column('remaining', sa.Integer(), nullable=False),
        sa.Column('reset_at', sa.BigInteger(), nullable=False),
        sa.Column('public_calls', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('call', name=op.f('pk_lookup_window')),
    )
    with op.batch_alter_table('lookup_usage') as table:
        for name in _COUNTS:
            table.add_column(
                sa.Column(name, sa.Integer(), server_default='0', nullable=False)
            )


def downgrade() -> None:
    with op.batch_alter_table('lookup_usage') as table:
        for name in _COUNTS:
            table.drop_column(name)
    op.drop_table('lookup_window')
    op.drop_table('lookup_cache')
