"""Starts the emulator with the fixes applied: ``python -m ponte_cloud``.

Environment: ``PONTE_CLOUD_WITHOUT`` (comma list of fix names, or ``all``) leaves fixes out, for the conformance checks;
``PONTE_CLOUD_SNAPSHOT_SECONDS`` is the pause between two snapshots (default 5); ``PONTE_CLOUD_METER`` names a file that
gets what a bill would count (:mod:`ponte_cloud.meter`). The rest is MiniStack's own.
"""

import importlib.metadata
import os
import sys

EMULATOR_VERSION = "1.5.33"


def refuse_other_versions() -> None:
    """The fixes replace private functions of exactly one release; with any other they would fail late and oddly."""
    installed = importlib.metadata.version("ministack")
    if installed != EMULATOR_VERSION:
        sys.exit(
            f"ponte_cloud: MiniStack {EMULATOR_VERSION} is required but {installed} is installed; "
            "delete .ponte/python/cloud and start again, or install local/cloud/requirements.txt."
        )


def main() -> None:
    refuse_other_versions()
    # The emulator checks no credentials unless AUTH=true: it must never listen beyond this machine.
    os.environ["BIND_HOST"] = "127.0.0.1"
    os.environ.setdefault("MINISTACK_HOST", "127.0.0.1")
    # Listeners that nothing here uses, each on a port of its own.
    os.environ.setdefault("IOT_MTLS_ENABLED", "0")
    os.environ.setdefault("SFTP_ENABLED", "0")

    from ponte_cloud import fixes, meter

    fixes.apply(os.environ.get("PONTE_CLOUD_WITHOUT", ""))
    meter.install_if_asked()

    from ministack.app import main as serve

    serve()
    # All is saved. A usual exit would wait for the threads of executions, and those may wait for days.
    os._exit(0)


if __name__ == "__main__":
    main()
