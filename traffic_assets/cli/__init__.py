"""The command line `traffic-assets`, one file for each command or group of commands; `app.py` registers them.

The commands only parse arguments and print results; runs are in `runs.py`, everything else is in the layers below.
Heavy imports are inside the commands, so that `--help` is fast.
"""

from traffic_assets.cli.app import main

__all__ = ["main"]
