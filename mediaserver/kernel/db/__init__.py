"""The database: one door for reads, one for writes, the same SQL on SQLite and PostgreSQL."""

from mediaserver.kernel.db.database import Database, Transaction

__all__ = ["Database", "Transaction"]
