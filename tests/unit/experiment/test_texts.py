"""The text of PDF, HTML and plain text files, and what is said of files that have none."""

import gc
import random
import tracemalloc
from pathlib import Path

import pytest

from experiment import texts
from experiment.errors import TextUnreadable
from unit.experiment.pdfs import pdf

HTML = """<!doctype html><html><head><title>A letter</title><style>p { color: red }</style>
<script>document.write("<p>never seen</p>")</script></head><body><h1>Dear  reader,</h1>
<p>coffee &amp; cake for 5&nbsp;&euro;<br>on <b>Mon</b>day</p><noscript>turn it on</noscript>
<ul><li>one<li>two</ul><table><tr><td>left</td><td>right</td></tr></table>
<template><p>hidden</p></template><!-- a <p>comment</p> --></body></html>"""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_pdf_page_by_page(tmp_path: Path) -> None:
    file = write(tmp_path, "a.PDF", pdf(["First (page)\nsecond  line", "", "Café"]))
    assert list(texts.pages(file)) == ["First (page)\nsecond line", "", "Café"]
    assert texts.text(file) == "First (page)\nsecond line\n\nCafé"
    assert texts.text(file, most_pages=1) == "First (page)\nsecond line"


def test_html_as_its_reader_sees_it(tmp_path: Path) -> None:
    found = texts.text(write(tmp_path, "a.html", HTML))
    assert found.splitlines() == [
        "A letter", "Dear reader,", "coffee & cake for 5 €", "on Monday", "one", "two", "left", "right",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>gr\xfc\xdfe</p>".encode(), "grüße"),
        (b"<meta charset=iso-8859-2><p>\xb1</p>", "ą"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><p>\xe9</p>', "é"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>\xe0</p>', "а"),
        (b"<p>it\x92s</p>", "it’s"),
        ("<p>wide</p>".encode("utf-16"), "wide"),
        (b"\xef\xbb\xbf<p>marked</p>", "marked"),
        (b"<meta charset=zlib><p>no encoding of texts</p>", "no encoding of texts"),
        (b"<meta charset=utf-16><p>it says so itself</p>", "it says so itself"),
        (b"<meta charset=nonsense><p>unknown</p>", "unknown"),
        (b"<p>never <b>closed <i>at all", "never closed at all"),
        (b"<script>if (a < b) {</script><p>after</p>", "after"),
        (b"<svg><text>drawn</text><p>x</p></svg><p>shown</p>", "shown"),
        (b"<template><body><p>it begins here</p>", "it begins here"),
    ],
    ids=lambda value: None,
)
def test_html_in_every_encoding(tmp_path: Path, content: bytes, expected: str) -> None:
    assert texts.text(write(tmp_path, "a.htm", content)) == expected


def test_long_texts_come_in_pages_cut_between_words(tmp_path: Path) -> None:
    words = " ".join(f"word{number}" for number in range(5_000))
    for name, content in (("a.html", f"<p>{words}</p>"), ("a.txt", words), ("a.md", words.replace(" ", "\n"))):
        pages = list(texts.pages(write(tmp_path, name, content)))
        assert max(map(len, pages)) <= texts.PAGE_CHARACTERS
        assert " ".join(" ".join(pages).split()) == words, name
    paragraphs = "".join(f"<p>{'x' * 1_400}</p>" for _ in range(6))
    assert [page.count("\n") for page in texts.pages(write(tmp_path, "b.html", paragraphs))] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.docx", b"PK", "is none of .pdf"),
        ("a.pdf", b"", "is no PDF that can be read"),
        ("a.pdf", b"<html>not a pdf</html>", "is no PDF that can be read"),
        ("a.pdf", pdf(["text"])[:200], "is no PDF that can be read|has no text"),
        ("a.pdf", pdf(["", ""]), "its pages are pictures. Run OCR"),
        ("a.html", b"<script>only()</script>", "has no text. Fill it"),
        ("a.txt", b" \n ", "has no text"),
        ("a.txt", b"\x00\x01\x02", "is binary"),
        ("a.html", b"<p>x</p><!--" + b"y" * 9_000_000, "without an end"),
    ],
    ids=["unknown", "empty", "html", "cut", "scanned", "script", "blank", "binary", "endless"],
)
def test_a_file_without_text_says_what_to_do(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(TextUnreadable, match=words) as caught:
        list(texts.pages(write(tmp_path, name, content)))
    assert name in str(caught.value) and str(caught.value).endswith(".")


def test_a_file_that_is_not_there_or_locked(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    with pytest.raises(TextUnreadable, match="cannot be read"):
        list(texts.pages(tmp_path / "gone.txt"))
    writer = PdfWriter(clone_from=PdfReader(write(tmp_path, "open.pdf", pdf(["secret"]))))
    writer.encrypt("a password", algorithm="RC4-128")
    with (tmp_path / "locked.pdf").open("wb") as file:
        writer.write(file)
    with pytest.raises(TextUnreadable, match="locked with a password"):
        list(texts.pages(tmp_path / "locked.pdf"))


def test_damaged_pdfs_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    draw = random.Random(7)
    whole = pdf([f"page {number}\nsome words on it" for number in range(4)])
    for number in range(120):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if number % 3 == 0:
            data = data[: draw.randrange(len(data))]
        try:
            list(texts.pages(write(tmp_path, "a.pdf", bytes(data))))
        except TextUnreadable as error:
            assert "a.pdf" in str(error)


def test_pages_that_were_read_are_not_kept(tmp_path: Path) -> None:
    page = "word " * 2_000

    def held(count: int) -> int:
        """Bytes that are held when the last page has come."""
        file = write(tmp_path, f"{count}.pdf", pdf([page] * count))
        gc.collect()
        tracemalloc.start()
        try:
            for number, _ in enumerate(texts.pages(file), start=1):
                if number == count:
                    gc.collect()
                    return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        raise AssertionError("there are fewer pages")

    held(2)  # what pypdf keeps for ever
    assert held(20) - held(5) < 15 * len(page) / 2
