"""Backup and restore of a whole centre: database, journal, recordings, keys.

Counterparts: `gateway/cli/backups.py`, the two commands; docs/decisions/0027 tells why a backup looks as it does.
`making.py` writes one, `restoring.py` takes it back; `folder.py` is what both know of it.
"""
