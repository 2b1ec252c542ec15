"""The centre's HTTP side: one module a subject, each a few functions and the routes that lead to them.

Counterpart: `gateway/app.py` builds a `Context` and serves what `application.build` makes of it.
"""
