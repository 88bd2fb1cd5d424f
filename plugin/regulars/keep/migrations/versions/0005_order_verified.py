"""whether the shop itself said which order a signup belongs to

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default in the database, the previous release goes on adding signups.
    op.add_column(
        'signup',
        sa.Column('order_verified', sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    with op.batch_alter_table('signup') as batch_op:
        batch_op.drop_column('order_verified')
