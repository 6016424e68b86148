"""Pages as a browser reads them, parsed with Python's standard library."""

from html.parser import HTMLParser
from typing import Any

FETCHES = ("src", "href", "srcset", "data", "action", "poster", "background", "formaction", "xlink:href")


class Page(HTMLParser):
    """Contents of a page: tags, addresses, ids, styles and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[tuple[str, str, str]] = []
        self.ids: set[str] = set()
        self.styles = ""
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a script in {name}"
            if name in FETCHES:
                self.addresses.append((tag, name, value or ""))
            if name == "id":
                self.ids.add(value or "")
            if name == "style":
                self.styles += value or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def error(self, message: str) -> Any:
        raise AssertionError(message)


def require_self_contained(page: Page) -> None:
    """Raise if the page fetches or runs anything, or has a link to an id that does not exist."""
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(page.tags)
    for tag, name, address in page.addresses:
        if tag == "a" and name == "href":
            assert address.startswith("#"), address
            assert address[1:] in page.ids, f"no {address} on the page"
        else:
            assert (tag, name) == ("img", "src")
            assert address.startswith("data:image/png;base64,"), address[:80]
    assert "url(" not in page.styles
    assert "@import" not in page.styles
