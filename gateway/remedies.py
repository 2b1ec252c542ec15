"""What people at this machine are told to do, where several places tell the same.

Counterparts: the doctor, the probe and the commands say it; `setup/watching/alerts.yml` says it to whoever is woken.
"""

START_ASTERISK = "start Asterisk: `systemctl start gateway112-asterisk`, or if it is no service `gateway112 asterisk`"
"""Started, and not restarted: it may carry calls."""
RESTART_ASTERISK = (
    "start Asterisk anew at a quiet moment, for its calls end: `systemctl restart gateway112-asterisk`, or if it is no "
    "service `gateway112 asterisk`"
)
START_GATEWAY = "start the gateway: `systemctl restart gateway112`, or if it is no service `gateway112 serve`"
GATEWAY_LOG = "the gateway's log (`journalctl -u gateway112`, or if it is no service var/gateway.log)"
