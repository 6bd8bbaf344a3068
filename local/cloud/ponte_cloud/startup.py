"""What runs once every service has been restored and before the first request is served."""

import contextvars
import logging
from collections.abc import Callable

from ministack import app

logger = logging.getLogger("ponte_cloud")
_callbacks: list[Callable[[], None]] = []
_preparations: list[Callable[[], None]] = []


def before_each(prepare: Callable[[], None]) -> None:
    """Registers what gives a callback's context what a request's context has."""
    _preparations.append(prepare)


def after_restore(callback: Callable[[], None]) -> None:
    """Registers ``callback``; callbacks run in the order of their registration, each in its own context, because
    they set the account and the region of the calls that they repeat."""
    if not _callbacks:
        restore = app._load_persisted_state

        def restore_and_continue() -> None:
            restore()
            for each in _callbacks:
                contextvars.copy_context().run(_prepare_and_run, each)

        app._load_persisted_state = restore_and_continue
    _callbacks.append(callback)


def _prepare_and_run(callback: Callable[[], None]) -> None:
    for prepare in _preparations:
        prepare()
    callback()
