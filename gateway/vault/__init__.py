"""Recordings: where a call's sound lies, and how it is read back.

Counterpart: the dialplan's MixMonitor (`dialplan/emergency.conf`) writes what is found here.
"""
