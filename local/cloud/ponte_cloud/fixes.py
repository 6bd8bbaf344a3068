"""The list of fixes, in the order in which they are applied."""

import importlib
import sys

# name -> module with install(). The name is what PONTE_CLOUD_WITHOUT takes. Later fixes may wrap what earlier ones
# put in place (the size limits wrap the corrected invocation), never the other way round.
FIXES: dict[str, str] = {
    "lambda-errors": "ponte_cloud.lambda_errors",
    "lambda-code": "ponte_cloud.lambda_code",
    "lambda-limits": "ponte_cloud.lambda_limits",
    "lambda-reservations": "ponte_cloud.lambda_reservations",
    "batch-failures": "ponte_cloud.batch_failures",
    "dynamodb-lock": "ponte_cloud.dynamodb_lock",
    "dynamodb-log": "ponte_cloud.dynamodb_log",
    "s3-events": "ponte_cloud.s3_events",
    "s3-checksums": "ponte_cloud.s3_checksums",
    "bucket-tags": "ponte_cloud.bucket_tags",
    "secure-transport": "ponte_cloud.secure_transport",
    "sessions": "ponte_cloud.sessions",
    "states-engine": "ponte_cloud.states.api",
    "states-definition": "ponte_cloud.states.definition",
    "snapshot": "ponte_cloud.snapshot",
}


def apply(without: str) -> None:
    """Installs every fix but those of ``without``: a comma list of names, or ``all``."""
    left_out = set(FIXES) if without.strip() == "all" else {name.strip() for name in without.split(",") if name.strip()}
    if unknown := sorted(left_out - set(FIXES)):
        sys.exit(f"ponte_cloud: PONTE_CLOUD_WITHOUT names no fix: {', '.join(unknown)}; known: {', '.join(FIXES)}")
    for name, module in FIXES.items():
        if name not in left_out:
            importlib.import_module(module).install()
