"""Both sides of `npm run bench -- estimate`: RAIL's stage as it is, and as the worker uses it.

    python estimate.py ALGORITHM MODEL PART ROUNDS [FLAMES]

Prints JSON: seconds of CPU of each round, whether p(z) are equal to the bit, and the rows. FLAMES: a folder for one
flame graph of each side, drawn from stacks that a signal takes every 2 ms of CPU.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import escape

from ponte_rail.threads import pin_threads

pin_threads()

import numpy as np  # noqa: E402

from ponte_rail import stages  # noqa: E402
from ponte_rail.algorithm import read_algorithm  # noqa: E402
from ponte_rail.photometry import read_photometry  # noqa: E402

Stacks = Counter[tuple[str, ...]]
WIDTH, HEIGHT, DEPTH = 1000, 16, 24


def main(name: str, model: str, part: str, rounds: str, flames: str | None = None) -> dict[str, Any]:
    algorithm = read_algorithm(name)
    content, pickled = Path(part).read_bytes(), Path(model).read_bytes()
    with patch.object(stages, "make_faster", lambda stage: None):
        plain = stages.load_estimator(algorithm, pickled)
    sides = {"plain": plain, "faster": stages.load_estimator(algorithm, pickled)}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    values: dict[str, list[bytes]] = {}
    rows = 0
    for _ in range(int(rounds)):
        for side, estimator in sides.items():
            sample = read_photometry(content, algorithm, "part", Path(part))
            rows, started = len(sample), time.process_time()
            found = list(stages.estimate(estimator, algorithm, sample))
            seconds[side].append(time.process_time() - started)
            values[side] = [each.pdf.tobytes() for each in found]
            values[side] += [np.asarray(v).tobytes() for each in found for v in each.ensemble.ancil.values()]
    for side, estimator in sides.items() if flames else ():
        sample = read_photometry(content, algorithm, "part", Path(part))
        stacks = sampled(lambda: list(stages.estimate(estimator, algorithm, sample)))
        Path(flames or "", f"{name}-{side}.svg").write_text(drawn(stacks, f"{name}, {side}: {rows} objects"))
    return {"rows": rows, "seconds": seconds, "equal": values["plain"] == values["faster"]}


def sampled(work: Any) -> Stacks:
    stacks: Stacks = Counter()

    def take(_number: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None:
            names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
            frame = frame.f_back
        stacks[tuple(reversed(names))] += 1

    previous = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    return stacks


def drawn(stacks: Stacks, title: str) -> str:
    """Widths are shares of the samples; what is below half a percent is left out."""
    skip = next((n for n, names in enumerate(zip(*stacks)) if len(set(names)) > 1), 0) - 1
    total, boxes = sum(stacks.values()), []

    def draw(group: Stacks, level: int, left: float) -> None:
        below: dict[str, Stacks] = {}
        for names, count in sorted(group.items()):
            if len(names) > level:
                below.setdefault(names[level], Counter())[names] = count
        for label, inner in below.items():
            width = WIDTH * sum(inner.values()) / total
            depth = level - max(skip, 0)
            if width >= WIDTH / 200 and depth < DEPTH:
                boxes.append((left, depth, width, label))
                draw(inner, level + 1, left)
            left += width

    draw(stacks, max(skip, 0), 0.0)
    deepest = max((depth for _, depth, _, _ in boxes), default=0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{(deepest + 3) * HEIGHT}" '
        'font-family="monospace" font-size="10">',
        f"<title>{escape(title)}</title>",
        f'<text x="4" y="12">{escape(title)}</text>',
    ]
    for left, depth, width, label in boxes:
        y = (depth + 2) * HEIGHT
        share = 100 * width / WIDTH
        fill = f"hsl({20 + sum(label.encode()) % 40},80%,70%)"
        text = escape(label[: int(width / 6.2)])
        lines.append(
            f'<g><title>{escape(label)} {share:.1f} %</title><rect x="{left:.1f}" y="{y}" width="{width:.1f}" '
            f'height="{HEIGHT - 1}" fill="{fill}"/><text x="{left + 2:.1f}" y="{y + 11}">{text}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    output, sys.stdout = sys.stdout, sys.stderr  # RAIL logs to standard output
    print(json.dumps(main(*sys.argv[1:])), file=output)
