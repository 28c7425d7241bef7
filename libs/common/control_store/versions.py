"""Optimistic versions: a change says which version of a thing it was made from, and is refused when that is not the last.

Rows carry `version`, an integer that grows by one with each change. Over HTTP it is a strong entity tag (RFC 9110, 8.8.3):
answers carry `ETag: "7"`, changes carry `If-Match: "7"`.
"""

import re

from libs.common.errors import Conflict, InvalidRequest

_TAG = re.compile(r'"(\d{1,18})"')


def etag(version: int) -> str:
    """The entity tag of a version, quotes included."""
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version an `If-Match` names; None for `*` and when there is none. Raises InvalidRequest."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidRequest('If-Match: send the ETag of the last answer as it was, for example "7".')
    return int(tag[1])


def require_version(current: int, expected: int | None, what: str) -> None:
    """Raises Conflict (409) when `expected` is not the version that is stored; None expects nothing.

    Call it inside the transaction that makes the change, after reading `current` there.
    """
    if expected is not None and current != expected:
        raise Conflict(
            f"{what} was changed by somebody else meanwhile. Load it again and make the change anew.",
            extra={"current_version": current},
        )
