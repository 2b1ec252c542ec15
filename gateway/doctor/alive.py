"""`python -m gateway.doctor.alive`: whether the API answers, and says that the centre is not down. For who asks often
and wants a status alone, such as a container's health check; the settings are the gateway's own.

Counterpart: the Dockerfile's HEALTHCHECK.
"""

import http.client
import ssl
import sys

from gateway.settings import ApiSettings, Settings, load

ANSWER_S = 5.0


def is_alive(settings: Settings) -> bool:
    """Asks once, and waits for a few seconds at most."""
    line = _line(settings.api)
    try:
        line.request("GET", "/v1/health")
        return line.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def _line(api: ApiSettings) -> http.client.HTTPConnection:
    if not api.is_secure:
        return http.client.HTTPConnection(api.host, api.port, timeout=ANSWER_S)
    # it asks itself and says nothing secret: a certificate that ends is no reason to be started anew
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(api.host, api.port, timeout=ANSWER_S, context=context)


if __name__ == "__main__":
    sys.exit(0 if is_alive(load()) else 1)
