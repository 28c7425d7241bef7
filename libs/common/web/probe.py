"""`python -m libs.common.web.probe PORT`: exit 0 when the service on this machine is ready. For images without a shell or curl."""

import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 3.0


def is_ready(port: int, path: str = "/readyz") -> bool:
    """Whether `path` answers 200 within the timeout."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(sys.argv[1])) else 1)
