"""What runs once every service has been restored and before the first request is served."""

import contextvars
import logging
from collections.abc import Callable

from ministack import app

logger = logging.getLogger("ponte_cloud")
_callbacks: list[Callable[[], None]] = []


def after_restore(callback: Callable[[], None]) -> None:
    """Registers ``callback``; callbacks run in the order of their registration, each in its own context, because
    they set the account and the region of the calls that they repeat."""
    if not _callbacks:
        restore = app._load_persisted_state

        def restore_and_continue() -> None:
            restore()
            for each in _callbacks:
                contextvars.copy_context().run(each)

        app._load_persisted_state = restore_and_continue
    _callbacks.append(callback)
