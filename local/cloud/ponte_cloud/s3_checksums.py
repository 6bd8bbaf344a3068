"""S3: the answer to PutObject repeats the checksum.

Stock: stores the checksum and returns it from HeadObject, but not from PutObject.
AWS: PutObject returns ``x-amz-checksum-*`` and ``x-amz-checksum-type``, which a client compares with what it sent.
Check: s3.test.ts, "returns the checksum of an upload".
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from ponte_cloud.patching import replace


def install() -> None:
    replace(s3, "_put_object", _return_checksums)


def _return_checksums(put: Callable[..., Any]) -> Callable[..., Any]:
    def put_and_return(bucket_name: str, key: str, body: bytes, headers: dict[str, str]) -> Any:
        status, answer, content = put(bucket_name, key, body, headers)
        if status == 200:
            checksums, _ = s3._resolve_object_checksums(body, headers)
            for algorithm, value in checksums.items():
                answer[f"x-amz-checksum-{algorithm.lower()}"] = value
            if checksums:
                answer["x-amz-checksum-type"] = "FULL_OBJECT"
        return status, answer, content

    return put_and_return
