"""The health check of a container: exit 0 when the page in argv, or the service's own /readyz, answers 200."""

import os
import sys
import urllib.error
import urllib.request


def address() -> str:
    """The page in argv, or /readyz at the port that `<SERVICE>_METRICS_PORT` names."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    ports = [value for name, value in sorted(os.environ.items()) if name.endswith("_METRICS_PORT")]
    return f"http://127.0.0.1:{ports[0] if ports else 9464}/readyz"


try:
    with urllib.request.urlopen(address(), timeout=2) as reply:  # noqa: S310 - loopback, from the compose file.
        sys.exit(reply.status != 200)
except (urllib.error.URLError, TimeoutError) as error:
    sys.exit(f"not ready: {error}")
