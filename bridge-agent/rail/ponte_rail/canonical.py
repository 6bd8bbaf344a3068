"""The digests of core/digest.ts, computed again: the same canonical JSON, hence the same sha256."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Object keys sorted, no white space, every string JSON-quoted.

    Raises TypeError for a float: JavaScript writes 1.0 as `1`, Python as `1.0`. Fractions travel as decimal text.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(kind: str, fields: dict[str, Any]) -> str:
    """sha256, 64 hexadecimal digits, of a named set of fields; `kind` keeps the namespaces apart."""
    return hashlib.sha256(canonical_json([kind, fields]).encode()).hexdigest()


def sha256(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"the number {value} has a fraction; write it as decimal text")
    if isinstance(value, dict):
        for field in value.values():
            _refuse_floats(field)
    if isinstance(value, list):
        for field in value:
            _refuse_floats(field)
