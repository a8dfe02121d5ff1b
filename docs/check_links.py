"""Fails on a link of the built site that leads nowhere; with --outer, tries those that leave it, too.

    python docs/check_links.py build/site            # each file, and each place in it
    python docs/check_links.py build/links --outer   # what Sphinx's linkcheck found, from its output.json

Without a network nothing can be said of outer links: they are listed, and the exit code is 0.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit


@dataclass(frozen=True, slots=True)
class Outer:
    """A link that leaves the site: the file and line that it stands in, and what came of it."""

    page: str
    line: int
    uri: str
    status: str  # linkcheck's: working, redirected, unchecked, ignored, timeout, broken
    info: str

    @property
    def unreachable(self) -> bool:
        """Nobody answered. A server that says 404 did."""
        return self.status == "timeout" or (self.status == "broken" and "Client Error" not in self.info)


class _Page(HTMLParser):
    """The links of a page, and the places in it that a link can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is not None and name in ("href", "src"):
                self.links.add(value)
            if value is not None and (name == "id" or (tag == "a" and name == "name")):
                self.places.add(value)


def dead_links(site: Path) -> list[str]:
    """A sentence for each link within the site whose file, or whose place in the file, isn't there."""
    pages = {path.resolve(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            target, place = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            there = (path.parent / unquote(urlsplit(target).path)).resolve() if target else path
            if not there.is_file():
                found.append(f"{path.relative_to(site.resolve())}: {link}: no such file")
            elif place and there in pages and unquote(place) not in pages[there].places:
                found.append(f"{path.relative_to(site.resolve())}: {link}: the file has no such place")
    return found


def outer_links(built: Path) -> list[Outer]:
    """The links that linkcheck met, each once."""
    rows = [json.loads(line) for line in (built / "output.json").read_text().splitlines()]
    links = {row["uri"]: Outer(row["filename"], row["lineno"], row["uri"], row["status"], row["info"]) for row in rows}
    return [links[uri] for uri in sorted(links) if uri.startswith("http")]


def main(site: Path, outer: bool) -> int:
    if not outer:
        found = dead_links(site)
        print("\n".join(found) or "every link within the site leads somewhere")
        return 1 if found else 0
    links = outer_links(site)
    for link in links:
        print(f"{link.status:<10} {link.uri}  ({link.page}:{link.line})  {link.info}".rstrip())
    if links and all(link.unreachable for link in links):
        print(f"no network: none of {len(links)} outer links could be tried")
        return 0
    return 1 if any(link.status == "broken" for link in links) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--outer" in sys.argv[2:]))
