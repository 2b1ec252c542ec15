"""Pure rules: no await, no clock, no I/O, no word of Asterisk's. Time is always an argument.

Counterpart: `gateway/centre.py`, which feeds facts in, and stores and announces what comes out.
"""
