"""How much memory a process really holds."""


def anonymous_bytes(pid: int) -> int:
    """Anonymous resident memory of one process, in bytes; 0 once it has ended.

    File-backed pages (the node binary, DuckDB's library) are left out: they are shared between workers here, and the
    kernel can drop them at any time, so they do not make a function run out of memory.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0
