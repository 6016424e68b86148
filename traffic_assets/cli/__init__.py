"""The command line `traffic-assets`, one file a command; `app.py` lists them.

Here are only arguments and what is printed; runs are in `runs.py`, everything else in the layers below. Heavy
imports stay inside the commands, so that `--help` answers at once.
"""

from traffic_assets.cli.app import main

__all__ = ["main"]
