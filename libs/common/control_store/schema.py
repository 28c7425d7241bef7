"""What every service's tables are made with."""

from sqlalchemy import MetaData

# Alembic can alter what it can name, and both engines then use the same names.
_NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """A service's own collection of tables."""
    return MetaData(naming_convention=_NAMES)
