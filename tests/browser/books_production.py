"""The production of the browser test of the room Books: an index and what searches it."""

from iop import Production

import bo
from settinglines import format_lines

BOTH = {"path": "/irisdev/app/src/books", "model": "shapes-clip"}
books = Production("Books.Production")
books.operation("Search", bo.SearchOperation, settings={"%settings": format_lines(BOTH)})
books.operation(
    "Index", bo.IndexOperation, pool_size=2,
    settings={"%settings": format_lines({**BOTH, "dump": "src/books/editions.txt", "master": "none"})},
)  # fmt: skip
PRODUCTIONS = [books]
ROOMS = ["rooms.books"]
