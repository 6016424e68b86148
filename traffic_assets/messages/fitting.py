"""Messages about fitting: columns and folds."""

from traffic_assets.dagster_hdfs.message import Message

FITS_NOT_SHARED = Message(
    code="fitting.fits-not-shared",
    problem="This fold cannot evaluate parts of a fit, because its fits are not shared",
    fix="pass a scratch folder to open_fold_fitter, for an algorithm that shares fits",
)
MISSING_TARGET = Message(
    code="fitting.missing-target",
    problem="The feature rows have no column {target!r}",
    expected="the observed target in every feature table",
    fix="materialize feature_table again (run the features job)",
    example={"target": "flow"},
)
