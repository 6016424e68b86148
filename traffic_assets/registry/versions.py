"""Semantic versions of a lane."""

import re
from dataclasses import dataclass

from traffic_assets.messages import registry as messages

FIRST = (1, 0, 0)
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class RegistryError(RuntimeError):
    """A version that cannot be registered, found or loaded; the message says why, and which versions exist."""


class MisplacedVersionError(RegistryError):
    """A folder that contains another version than it names, such as a copy made by hand."""


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Return the version of a text such as v1.2.0.

        Raises:
            RegistryError: If the text is not a version.
        """
        match = VERSION.fullmatch(text)
        if match is None:
            raise RegistryError(messages.INVALID_VERSION(version=text))
        return cls(*(int(part) for part in match.groups()))

    def next(self) -> "Version":
        """Return the next version: a retrained model is a new minor version."""
        return Version(self.major, self.minor + 1, 0)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"
