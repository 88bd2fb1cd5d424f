"""shares, rates and order of endpoints

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

OPEN = 'next_at IS NOT NULL'
LEASED = 'lease_token IS NOT NULL'
STOPPED = "state IN ('dead', 'held')"


def upgrade() -> None:
    for column in (
        sa.Column('max_inflight', sa.Integer(), nullable=False, server_default=sa.text('8')),
        sa.Column('rate_per_s', sa.Float()),
        sa.Column('ordered', sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column('slots', sa.Integer()),
        sa.Column('failures', sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column('failing_since', sa.BigInteger()),
        sa.Column('closed_until', sa.BigInteger()),
        sa.Column('busy_until', sa.BigInteger()),
        sa.Column('notice', sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column('claimed_at', sa.BigInteger()),
    ):
        op.add_column('endpoint', column)
    op.add_column(
        'delivery', sa.Column('unfinished', sa.Integer(), nullable=False, server_default=sa.text('0'))
    )
    op.add_column(
        'attempt', sa.Column('blame', sa.String(length=10), nullable=False, server_default='endpoint')
    )
    op.create_table(
        'sending_trouble',
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('failure', sa.String(length=30), nullable=False),
        sa.Column('since', sa.BigInteger(), nullable=False),
        sa.Column('seen_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('host', name=op.f('pk_sending_trouble')),
    )
    for name in ('ix_delivery_due', 'ix_delivery_open', 'ix_delivery_stopped'):
        op.drop_index(name, 'delivery')
    _index('ix_delivery_due', ['endpoint_id', 'next_at', 'id'], OPEN)
    _index('ix_delivery_leased', ['endpoint_id'], LEASED)
    _index('ix_delivery_stopped', ['endpoint_id', 'state'], STOPPED)


def downgrade() -> None:
    for name in ('ix_delivery_due', 'ix_delivery_leased', 'ix_delivery_stopped'):
        op.drop_index(name, 'delivery')
    _index('ix_delivery_due', ['next_at', 'id'], OPEN)
    _index('ix_delivery_open', ['endpoint_id'], OPEN)
    _index('ix_delivery_stopped', ['endpoint_id'], STOPPED)
    op.drop_table('sending_trouble')
    op.drop_column('attempt', 'blame')
    op.drop_column('delivery', 'unfinished')
    for name in (
        'claimed_at', 'notice', 'busy_until', 'closed_until', 'failing_since',
        'failures', 'slots', 'ordered', 'rate_per_s', 'max_inflight',
    ):
        op.drop_column('endpoint', name)


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, 'delivery', columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
