"""The centre's HTTP side: one module a subject, each a few functions and the routes that lead to them.

Counterparts: `gateway/house.py` builds a `Context`; `gateway/app.py` serves what `application.build` makes of it.
"""
