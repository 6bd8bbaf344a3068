"""IAM: what reaches the local cloud counts as sent over TLS.

Stock: with IAM enforced, a policy that denies requests without ``aws:SecureTransport`` denies all of them, because the
emulator is reached over plain HTTP. A bucket or a queue with the usual TLS-only policy is then closed to every role.
AWS: its endpoints are reached over TLS. Here no request leaves the machine: the emulator listens on the loopback only.
Check: iam.test.ts, "lets a role do what its policy says", whose bucket has a TLS-only policy, and "lets an execution
that goes on after a kill use a TLS-only queue".
"""

from ministack import app
from ministack.core import iam_evaluator

from ponte_cloud import startup

# Where work that no request has started comes from: the emulator itself.
LOOPBACK = "127.0.0.1"


def install() -> None:
    app.pin_request_origin = lambda source_ip, _: iam_evaluator.pin_request_origin(source_ip, True)
    startup.before_each(lambda: iam_evaluator.pin_request_origin(LOOPBACK, True))
