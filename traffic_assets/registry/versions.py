"""Semantic versions of a lane."""

import re
from dataclasses import dataclass

FIRST = (1, 0, 0)
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class RegistryError(RuntimeError):
    """A version cannot be registered, found or loaded; the message says why and what there is."""


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """The version that a text such as v1.2.0 means.

        Raises:
            RegistryError: where it means none.
        """
        match = VERSION.fullmatch(text)
        if match is None:
            raise RegistryError(f"{text!r} is no version: the form is v1.0.0, or latest")
        return cls(*(int(part) for part in match.groups()))

    def next(self) -> "Version":
        """The one after: a retrained model is a new minor version."""
        return Version(self.major, self.minor + 1, 0)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"
