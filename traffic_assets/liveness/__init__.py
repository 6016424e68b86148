"""Liveness of runs: which process runs a run, whether it still lives, and which run holds a week.

`process.py` identifies a process, `heartbeat.py` keeps the heartbeat of a run, `dead_runs.py` marks runs without a
process as failed, `sensor.py` does so at every tick, `lease.py` admits one training for each week, and `signals.py`
notices the signals that end a run.
"""
