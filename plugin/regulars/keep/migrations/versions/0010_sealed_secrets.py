"""secrets of endpoints sealed, headers of their own, endpoints that were removed

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Beside "secrets", which the release before reads: it stays, and stays empty once
    # what is in it has been sealed, for which the key is needed.
    op.add_column('endpoint', sa.Column('sealed_secrets', sa.JSON(none_as_null=True)))
    op.add_column('endpoint', sa.Column('sealed_headers', sa.JSON(none_as_null=True)))
    op.add_column('endpoint', sa.Column('removed_at', sa.BigInteger()))


def downgrade() -> None:
    for name in ('removed_at', 'sealed_headers', 'sealed_secrets'):
        op.drop_column('endpoint', name)
