"""The store: everything that must survive, in SQLite or PostgreSQL, through SQLAlchemy.

Counterpart: `gateway/ports.py` names what the services need of it (`Store` and others); `repository.py` fulfils that,
and `reads.py` answers the API. Start with `database.py`, which opens it.
"""
