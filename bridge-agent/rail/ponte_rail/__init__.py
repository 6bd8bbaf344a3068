"""The worker that a scheduler task runs: `python -m ponte_rail TASK.json`.

It imports RAIL once, loads the model once and then works through the units of its task, each in a forked child, so
that a crash or a kill costs one unit. Every unit ends in an exit record that is written once, first writer wins.
"""

__version__ = "1"
