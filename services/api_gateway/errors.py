"""The gateway's leaves of the error tree (libs/common/errors.py).

RequestError
├── InvalidCredentials    401 invalid-credentials
├── CrossSiteRequest      403 cross-site-request
└── UnknownHost           421 unknown-host
Unavailable
└── SessionNotRevoked     503 session-not-revoked
"""

from libs.common.errors import RequestError, Unavailable


class InvalidCredentials(RequestError):
    """401. E-mail and password do not belong together; which of the two is wrong is never said."""

    status = 401
    id = "invalid-credentials"
    title = "Wrong e-mail or password"


class CrossSiteRequest(RequestError):
    """403. A browser sent a change with the session's cookie from a page that is not ours, or did not say from where."""

    status = 403
    id = "cross-site-request"
    title = "Request from another site"


class UnknownHost(RequestError):
    """421. The request came under a name that is not ours."""

    status = 421
    id = "unknown-host"
    title = "Unknown host name"


class SessionNotRevoked(Unavailable):
    """503. The cookie is deleted in this browser, but a copy of it stays valid until it expires."""

    id = "session-not-revoked"
    title = "Session not revoked everywhere"
