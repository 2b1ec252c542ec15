"""Asterisk and nothing else: its manager link, its journal, its words. They stop at this package's edge."""
