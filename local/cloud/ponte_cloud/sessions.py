"""STS: the credentials of an assumed role live as long as they say.

Stock: forgets all sessions when it ends; with IAM enforced every agent is then locked out until it assumes its role
again, which an SDK does only when its credentials are about to expire.
AWS: a session is good until its expiry. Here, one from the last seconds before a SIGKILL may still be lost.
Check: iam.test.ts, "keeps the session of a role over a kill".
"""

from typing import Any

from ministack.services import sts


def install() -> None:
    sts.get_state = lambda: {"sessions": dict(sts._sessions)}
    sts.load_persisted_state = _load


def _load(data: dict[str, Any]) -> None:
    sts._sessions.update(data.get("sessions", {}))
    sts._evict_expired_sessions()
