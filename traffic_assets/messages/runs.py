"""Messages about runs: partitions, hyperparameters of the Launchpad, and the instance."""

from traffic_assets.dagster_hdfs.message import Message

NO_DAGSTER_HOME = Message(
    code="runs.no-dagster-home",
    problem="DAGSTER_HOME is not set, so the runs are kept in memory and the Dagster UI will not show them",
    fix="export DAGSTER_HOME=<folder>",
)
NO_PARTITION_YET = Message(
    code="runs.no-partition-yet",
    problem="No {kind} since {start} is complete yet",
    expected="at least one complete {kind} since data.first_day",
    fix="wait until the first {kind} is complete, or set an earlier data.first_day",
    example={"kind": "week", "start": "2026-01-05"},
)
_ALLOWED = "{first} to {last}"
_ONE = '--partition {last} (dg launch) or --tags \'{{"dagster/partition": "{last}"}}\' (dagster job execute)'
NO_DAY = Message(
    code="runs.no-day",
    problem="The run has no day",
    expected=f"a day from {_ALLOWED}",
    fix=f"pass one with {_ONE}. For a range, pass --partition-range FIRST...LAST (dg launch), or the tags "
    "dagster/asset_partition_range_start and dagster/asset_partition_range_end (dagster job execute)",
    example={"first": "2026-01-05", "last": "2026-01-18"},
)
NO_WEEK = Message(
    code="runs.no-week",
    problem="The run has no week",
    expected=f"the Monday of a week from {_ALLOWED}",
    fix=f"pass one with {_ONE}",
    example={"first": "2026-01-05", "last": "2026-01-12"},
)
RANGE_OF_WEEKS = Message(
    code="runs.range-of-weeks",
    problem="A run trains one week, not a range ({given})",
    expected=f"one week from {_ALLOWED}",
    fix=f"start one run for each week, with {_ONE}",
    example={
        "given": {"dagster/asset_partition_range_start": "2026-01-05"},
        "first": "2026-01-05",
        "last": "2026-01-12",
    },
)
HALF_RANGE = Message(
    code="runs.half-range",
    problem="The range has only one end ({given})",
    expected=f"two days from {_ALLOWED}",
    fix="add the tag {missing}",
    example={
        "given": {"dagster/asset_partition_range_start": "2026-01-05"},
        "missing": "dagster/asset_partition_range_end",
        "first": "2026-01-05",
        "last": "2026-01-18",
    },
)
REVERSED_RANGE = Message(
    code="runs.reversed-range",
    problem="The range ends before it begins ({given})",
    expected=f"days from {_ALLOWED}",
    fix="put the earlier day first",
    example={
        "given": {
            "dagster/asset_partition_range_start": "2026-01-07",
            "dagster/asset_partition_range_end": "2026-01-05",
        },
        "first": "2026-01-05",
        "last": "2026-01-18",
    },
)
NOT_A_DATE = Message(
    code="runs.not-a-date",
    problem="{given!r} is not a {kind}",
    expected=f"a date of the form YYYY-MM-DD from {_ALLOWED}",
    fix="write it as YYYY-MM-DD, such as {last}",
    example={"given": "latest", "kind": "day", "first": "2026-01-05", "last": "2026-01-18"},
)
NOT_A_MONDAY = Message(
    code="runs.not-a-monday",
    problem="{given!r} is not a week, because weeks are named by their Monday",
    expected=f"the Monday of a week from {_ALLOWED}",
    fix="use {monday}",
    example={"given": "2026-01-07", "monday": "2026-01-05", "first": "2026-01-05", "last": "2026-01-12"},
)
NOT_OVER = Message(
    code="runs.not-over",
    problem="The {kind} {given} is not complete yet (time zone {zone})",
    expected=f"a complete {{kind}} from {_ALLOWED}",
    fix="wait until the {kind} is complete, or choose an earlier one",
    example={
        "kind": "week",
        "given": "2026-01-19",
        "zone": "America/Los_Angeles",
        "first": "2026-01-05",
        "last": "2026-01-12",
    },
)
OUTSIDE_DATA = Message(
    code="runs.outside-data",
    problem="The {kind} {given} is not between data.first_day and data.last_day",
    expected=f"a {{kind}} from {_ALLOWED}",
    fix="choose another {kind}, or change data.first_day or data.last_day",
    example={"kind": "day", "given": "2025-12-31", "first": "2026-01-05", "last": "2026-01-18"},
)
BAD_HYPERPARAMETERS = Message(
    code="runs.bad-hyperparameters",
    problem="The run config contains hyperparameters that are out of range ({count}):{errors:lines}",
    fix="correct the run config (Launchpad or --config)",
    example={
        "count": 1,
        "errors": [
            "[settings.out-of-range] random_forest_cv_report.maxDepth: Out of range (99). Expected a number of at most "
            "30."
        ],
    },
)
PROCESS_ENDED = Message(
    code="runs.process-ended",
    problem="The process of the run {run} ended without a report (process {pid} on {host})",
    fix="start the run again. If nobody killed the process, look for a lack of memory on {host}",
    example={"run": "4f6c1d9e", "pid": 4711, "host": "node1"},
)
HEARTBEAT_LOST = Message(
    code="runs.heartbeat-lost",
    problem="The run {run} has had no heartbeat for {minutes} minutes (process {pid} on {host})",
    expected="a heartbeat within runs.heartbeat_timeout_minutes",
    fix="start the run again. If its process still lives, increase runs.heartbeat_timeout_minutes",
    example={"run": "4f6c1d9e", "pid": 4711, "host": "node1", "minutes": 10},
)
NO_HEARTBEAT = Message(
    code="runs.no-heartbeat",
    problem="The run {run} has had no heartbeat since its start, {minutes} minutes ago or longer",
    expected="a first heartbeat before the first step",
    fix="start the run again",
    example={"run": "4f6c1d9e", "minutes": 10},
)
NO_DEAD_RUN = Message(
    code="runs.no-dead-run",
    problem="Every run that keeps a heartbeat is alive",
    note=True,
)
DEAD_RUNS_ENDED = Message(
    code="runs.dead-runs-ended",
    problem="Dead runs were marked as ended:{reasons:lines}",
    note=True,
    example={
        "reasons": [
            "[runs.process-ended] The process of the run 4f6c1d9e ended without a report (process 4711 on node1)."
        ]
    },
)
HEARTBEAT_FAILED = Message(
    code="runs.heartbeat-failed",
    problem="A heartbeat of the run {run} failed ({cause}). The next one follows in seconds",
    fix="if this repeats, check that storage and Dagster's database answer",
    example={"run": "4f6c1d9e", "cause": "Connection refused"},
)
RUN_ENDED_ELSEWHERE = Message(
    code="runs.ended-elsewhere",
    problem="The run {run} was marked as ended while its process still ran (status {status}), so the process stops",
    fix="start the run again. If the process was paused, increase runs.heartbeat_timeout_minutes",
    example={"run": "4f6c1d9e", "status": "FAILURE"},
)
STOPPED_BY_SIGNAL = Message(
    code="runs.stopped-by-signal",
    problem="The run received the signal {signal} and is being canceled",
    note=True,
    example={"signal": "SIGTERM"},
)
LEASE_HELD = Message(
    code="runs.lease-held",
    problem="{task} is held by another run: {run} on {host} (process {pid}), started {start}",
    expected="one training for each week and base_uri at a time",
    fix="wait until that run has ended. `traffic-assets train` waits with --wait",
    example={
        "task": "train-2026-01-05",
        "run": "4f6c1d9e",
        "host": "node1",
        "pid": 4711,
        "start": "2026-01-12 03:00:00+00:00",
    },
)
WAITING_FOR_LEASE = Message(
    code="runs.waiting-for-lease",
    problem="Waiting for the run {run} on {host} (process {pid}), started {start}, which holds {task}",
    note=True,
    example={
        "task": "train-2026-01-05",
        "run": "4f6c1d9e",
        "host": "node1",
        "pid": 4711,
        "start": "2026-01-12 03:00:00+00:00",
    },
)
LEASE_LOST = Message(
    code="runs.lease-lost",
    problem="Another run took the lease of this run over ({lease}), so this run stops",
    expected="a heartbeat within runs.heartbeat_timeout_minutes",
    fix="wait until the other run has ended. If this process was paused, increase runs.heartbeat_timeout_minutes",
    example={"lease": "hdfs://namenode:9000/data/_leases/train-2026-01-05/3.json"},
)
LEASE_NOT_RELEASED = Message(
    code="runs.lease-not-released",
    problem="The lease of this run could not be released ({cause})",
    fix="none is needed if this process has ended: the next run takes the lease over",
    example={"cause": "Connection refused"},
)
DAMAGED_LEASE = Message(
    code="runs.damaged-lease",
    problem="The lease {lease} is damaged ({cause})",
    fix="if no training of the week runs, delete the file",
    example={"lease": "file:///data/_leases/train-2026-01-05/3.json", "cause": "KeyError('run_id')"},
)
