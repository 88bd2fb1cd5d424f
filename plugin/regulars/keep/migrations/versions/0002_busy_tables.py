"""let PostgreSQL tidy the busy tables early

Revision ID: 0002
Revises: 0001
"""

from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# By default a table is vacuumed once a fifth of it is dead: of millions of finished
# deliveries that is long after the claim has begun to wade through dead index entries.
# https://www.postgresql.org/docs/current/runtime-config-autovacuum.html
BUSY = {
    'delivery': 'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0, fillfactor = 80',
    'event': 'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0',
    'attempt': 'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0',
}


def upgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table, settings in BUSY.items():
        op.execute(f'ALTER TABLE {table} SET ({settings})')


def downgrade() -> None:
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table, settings in BUSY.items():
        names = ', '.join(part.split('=')[0].strip() for part in settings.split(','))
        op.execute(f'ALTER TABLE {table} RESET ({names})')
