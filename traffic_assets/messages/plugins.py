"""Messages about plugins: reasons why an installed package is left out."""

from traffic_assets.dagster_hdfs.message import Message

DUPLICATE_NAME = Message(
    code="plugins.duplicate-name",
    problem="Several packages use the name {name!r} ({packages})",
    fix="uninstall all but one",
    example={"name": "acme", "packages": ["acme-models", "other-models"]},
)
IMPORT_FAILED = Message(
    code="plugins.import-failed",
    problem="The plugin cannot be imported ({error})",
    fix="repair the package, or install what it needs",
    example={"error": "ImportError: no engine here"},
)
WRONG_KIND = Message(
    code="plugins.wrong-kind",
    problem="The entry point does not refer to an instance of {kind} ({given})",
    expected="an instance of {kind}",
    fix="refer to an instance of {kind} in the package's entry point",
    example={"kind": "Algorithm", "given": "of type dict"},
)
NAME_MISMATCH = Message(
    code="plugins.name-mismatch",
    problem="The {kind} is named {name!r}, but its entry point is named {entry_point!r}",
    expected="the same name for both",
    fix="rename one of them in the package",
    example={"kind": "Algorithm", "name": "acme", "entry_point": "tree"},
)
BUILT_IN_NAME = Message(
    code="plugins.built-in-name",
    problem="{name!r} is a built-in name",
    expected="a name other than {taken}",
    fix="rename the entry point and its object in the package",
    example={"name": "random_forest", "taken": ["linear_regression", "random_forest"]},
)
INVALID_NAME = Message(
    code="plugins.invalid-name",
    problem="{name!r} is not a valid name",
    expected="lower-case letters, digits and _, beginning with a letter, and not the name of a pydantic method",
    fix="rename the entry point and its object in the package",
    example={"name": "acme-1"},
)
WRONG_SETTINGS = Message(
    code="plugins.wrong-settings",
    problem="The plugin's settings are not a section ({settings})",
    expected="a subclass of ModelSettings",
    fix="derive the section of the package from ModelSettings",
    example={"settings": "<class 'acme_models.Knobs'>"},
)
INVALID_DEFAULTS = Message(
    code="plugins.invalid-defaults",
    problem="The plugin's settings have no valid defaults ({key}: {reason})",
    expected="a section that is valid without any key",
    fix="give each key of the section a valid default",
    example={"key": "hyperparameters", "reason": "Field required"},
)
OVERRIDES_OLD_METHOD = Message(
    code="plugins.overrides-old-method",
    problem="The plugin overrides {attribute}, which is no longer called",
    fix="rename the method to {new}",
    example={"attribute": "DecisionTreeSettings.requested", "new": "override_hyperparameters"},
)
UNREADABLE_GATE = Message(
    code="plugins.unreadable-gate",
    problem="The plugin's gate cannot be read: {reason}",
    fix="declare thresholds: ClassVar[GateThresholds]",
    example={"reason": "Section.targets is a field"},
)
