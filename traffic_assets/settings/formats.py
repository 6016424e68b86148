"""Formats of texts in settings: the patterns, with a description of each for messages."""

BROWSE_URL = r"^https?://.*\{path\}"
DEPLOYMENT = r"^[A-Za-z0-9_]{0,40}$"
DRIVER_MEMORY = r"^\d+[kmgKMG]$"
HISTORY_URL = r"^https?://.*\{application_id\}"
MASTER = r"^(local(\[.+\])?|spark://.+|yarn|k8s://.+)$"
OWNER = r"^(team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})$"
SUBSET_STRATEGY = r"^(auto|all|onethird|sqrt|log2|0?\.\d*[1-9]\d*|1\.0|[1-9]\d{0,8})$"

DESCRIPTIONS = {
    BROWSE_URL: "an http or https URL that contains {path}",
    DEPLOYMENT: "at most 40 letters, digits and underscores, such as san_diego",
    DRIVER_MEMORY: "a number with the unit k, m or g, such as 4g",
    HISTORY_URL: "an http or https URL that contains {application_id}",
    MASTER: "a Spark master, such as local[4], spark://host:7077, yarn or k8s://host",
    OWNER: "an e-mail address, or team:<name>",
    SUBSET_STRATEGY: "auto, all, onethird, sqrt, log2, a share such as 0.5, or a number of features",
}
"""Description of each format, by its pattern."""


def describe_format(pattern: str) -> str:
    """Return the description of a format; only "text" for the pattern of an installed package."""
    return DESCRIPTIONS.get(pattern, "text")
