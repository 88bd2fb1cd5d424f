"""what the database knows of itself: which key it belongs to, which releases may use it

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'installation',
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_installation')),
    )
    # The oldest release, named by its newest migration, whose code can use this database.
    # A migration that takes something away sets it to the number of the migration before.
    op.execute("INSERT INTO installation (name, value) VALUES ('readable_from', '0003')")


def downgrade() -> None:
    op.drop_table('installation')
