"""The store: everything that must survive, in SQLite or PostgreSQL, through SQLAlchemy.

Counterpart: `gateway/centre.py` names what it needs of it (`Store`); `repository.py` fulfils that, and `reads.py`
answers the API. Start with `database.py`, which opens it.
"""
