"""The local cloud: MiniStack with the corrections that make it behave like AWS where Ponte relies on AWS.

Run it with ``python -m ponte_cloud``. Every correction is one entry of :mod:`ponte_cloud.fixes`; its module says what
the stock emulator does, what AWS does, and which check of ``test/conformance`` fails without it.
"""
