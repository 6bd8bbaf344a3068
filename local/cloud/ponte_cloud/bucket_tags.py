"""CloudFormation: the tags of a bucket.

Stock: drops them. ``cdk destroy`` of a bucket that empties itself then fails with ``NoSuchTagSet``, because the
function that empties it looks for its permission among the tags, and the next deployment believes that the bucket is
still there.
AWS: sets them.
Check: s3.test.ts, "keeps the tags of a bucket from a template".
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from ponte_cloud.patching import replace


def install() -> None:
    replace(provisioners, "_s3_apply_configurations", _apply_tags)


def _apply_tags(apply: Callable[..., Any]) -> Callable[..., Any]:
    def apply_with_tags(name: str, props: dict[str, Any], *rest: Any) -> Any:
        result = apply(name, props, *rest)
        if tags := props.get("Tags"):
            s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in tags}
        return result

    return apply_with_tags
