"""How fixes reach into the emulator: by name, and loudly when the name is not there."""

from collections.abc import Callable
from types import ModuleType
from typing import Any


def replace(owner: ModuleType | type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replaces ``owner.name`` by ``make(original)``. The emulator looks its functions up when it calls them, so this
    also reaches callers that were compiled before."""
    original = getattr(owner, name)
    setattr(owner, name, make(original))


def edit(text: str, edits: list[tuple[str, str]]) -> str:
    """Applies (old, new) pairs to a text of the emulator; each ``old`` must occur exactly once."""
    for old, new in edits:
        if text.count(old) != 1:
            raise RuntimeError(f"expected exactly one occurrence of {old!r}, found {text.count(old)}")
        text = text.replace(old, new)
    return text
