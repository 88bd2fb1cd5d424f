"""handles that were renamed, and when each was last asked for

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

_IS_KNOWN = sa.text('platform_user_id IS NOT NULL')
_IS_DOUBTED = sa.text('doubted_at IS NOT NULL')


def upgrade() -> None:
    op.add_column('contact_point', sa.Column('asked_at', sa.BigInteger(), nullable=True))
    op.add_column('contact_point', sa.Column('doubted_at', sa.BigInteger(), nullable=True))
    op.create_index(
        'ix_contact_point_age',
        'contact_point',
        ['checked_at'],
        unique=False,
        sqlite_where=_IS_KNOWN,
        postgresql_where=_IS_KNOWN,
    )
    op.create_index(
        'ix_contact_point_doubted',
        'contact_point',
        ['doubted_at'],
        unique=False,
        sqlite_where=_IS_DOUBTED,
        postgresql_where=_IS_DOUBTED,
    )
    op.create_table(
        'former_handle',
        sa.Column('contact_point_id', sa.String(length=40), nullable=False),
        sa.Column('until', sa.BigInteger(), nullable=False),
        sa.Column('customer_id', sa.String(length=40), nullable=False),
        sa.Column('handle', sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ['contact_point_id'],
            ['contact_point.id'],
            name=op.f('fk_former_handle_contact_point_id'),
        ),
        sa.ForeignKeyConstraint(
            ['customer_id'],
            ['customer.id'],
            name=op.f('fk_former_handle_customer_id'),
        ),
        sa.PrimaryKeyConstraint('contact_point_id', 'until', name=op.f('pk_former_handle')),
    )
    op.create_index(
        op.f('ix_former_handle_customer_id'), 'former_handle', ['customer_id'], unique=False
    )
    op.create_index(op.f('ix_former_handle_handle'), 'former_handle', ['handle'], unique=False)
    op.create_table(
        'x_run',
        sa.Column('name', sa.String(length=20), nullable=False),
        sa.Column('began_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_x_run')),
    )


def downgrade() -> None:
    op.drop_table('x_run')
    op.drop_index(op.f('ix_former_handle_handle'), table_name='former_handle')
    op.drop_index(op.f('ix_former_handle_customer_id'), table_name='former_handle')
    op.drop_table('former_handle')
    op.drop_index('ix_contact_point_doubted', table_name='contact_point')
    op.drop_index('ix_contact_point_age', table_name='contact_point')
    with op.batch_alter_table('contact_point') as batch:
        batch.drop_column('doubted_at')
        batch.drop_column('asked_at')
