"""Leaves of the error tree that only this service has."""

from libs.common.errors import Unavailable


class UiNotBuilt(Unavailable):
    """503. The built files are missing."""

    id = "ui-not-built"
    title = "The web UI is not built"
