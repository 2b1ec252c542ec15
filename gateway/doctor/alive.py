"""`python -m gateway.doctor.alive`: whether the API answers, and says that the centre is not down. For who asks often
and wants a status alone, such as a container's health check; the settings are the gateway's own.

Counterpart: the Dockerfile's HEALTHCHECK.
"""

import http.client
import sys

from gateway.doctor.services import line_to
from gateway.settings import Settings, SettingsError, load


def is_alive(settings: Settings) -> bool:
    """Asks once, and waits for a few seconds at most."""
    try:
        line = line_to(settings.api)
        try:
            line.request("GET", "/v1/health")
            return line.getresponse().status == http.client.OK
        finally:
            line.close()
    except (OSError, http.client.HTTPException, SettingsError):
        return False


if __name__ == "__main__":
    sys.exit(0 if is_alive(load()) else 1)
