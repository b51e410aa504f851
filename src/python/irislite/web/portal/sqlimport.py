"""The import of a CSV or Parquet file: a preview with types that can be changed, then the load."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from nicegui import events, ui

from irislite.actor import Role
from irislite.errors import BadRequest, IrisliteError
from irislite.sql.catalog import qualified
from irislite.sql.desk import Desk, Preview, Stop
from irislite.sql.load import TYPES, LoadReport
from irislite.web import blocking
from irislite.web.portal.controls import answered, button, notice, text, told, upload
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Grid
from irislite.web.sqltwin import needed_to_load, plain

LARGEST_FILE = 500_000_000  # bytes
_MODES = {"append": "Add to the rows that are there", "replace": "Replace the rows that are there"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


async def ask(portal: Portal, done: Callable[[], Awaitable[None]]) -> None:
    """Open the dialog; `done` is awaited when something was loaded."""
    with ui.dialog() as dialog, ui.card().classes("ask wide-ask"):
        text("h2", "Import a file").classes("question")
        form = _Import(portal, dialog)
        form.build()
    try:
        if await answered(dialog):
            await done()
    finally:
        form.forget()


class _Import:
    def __init__(self, portal: Portal, dialog: ui.dialog) -> None:
        self._portal = portal
        self._dialog = dialog
        self._desk = Desk(portal.director.tables)
        self._folder = TemporaryDirectory(prefix="irislite-import-")
        self._file: Path | None = None
        self._preview: Preview | None = None
        self._types: dict[str, ui.select] = {}
        self._stop: Stop | None = None

    def build(self) -> None:
        ui.label(
            f"A CSV file with a header row, or a Parquet file, of at most {LARGEST_FILE // 1_000_000} MB. Larger ones: "
            "irislite load TABLE FILE."
        ).classes("small muted")
        rejected = "It is too large, or neither .csv nor .parquet."
        upload("CSV or Parquet file", ".csv,.parquet", LARGEST_FILE, self._uploaded, rejected)
        self._body = ui.element("div").classes("stack")
        with ui.element("div").classes("ask-buttons"):
            button("Close", on_click=self._close)
            self._load_button = button("Load", "upload_file", self._load, "primary")
            self._load_button.disable()

    def forget(self) -> None:
        """Remove the upload."""
        if self._stop is not None:
            self._stop.set()
        self._folder.cleanup()

    def _close(self) -> None:
        self._dialog.submit(False)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        self._body.clear()
        with told(), self._portal.act("Upload a file to import", role=Role.OPERATOR) as deed:
            ending = Path(event.file.name).suffix.lower()
            if ending not in (".csv", ".parquet"):
                raise BadRequest("The file is neither .csv nor .parquet: save it as one of these.")
            if event.file.size() > LARGEST_FILE:
                raise BadRequest(f"The file has more than {LARGEST_FILE:,} bytes: use `irislite load`.")
            self._file = Path(self._folder.name) / f"upload{ending}"
            await event.file.save(self._file)
            deed.tell(f"{event.file.size():,} bytes")
            self._preview = await blocking.run(self._desk.preview, self._file)
            with self._body:
                self._ask(Path(event.file.name).stem, self._preview)
            self._load_button.enable()

    def _ask(self, stem: str, preview: Preview) -> None:
        name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_") or "table"
        suggested = f"SQLUser.{name if not name[0].isdigit() else f't_{name}'}"
        self._table = ui.input("Table", value=suggested, validation=_problem).props("outlined dense spellcheck=false")
        self._mode = ui.select(_MODES, value="append", label="If the table is there").props("outlined dense")
        text("h3", "Fields of a new table")
        self._types = {}
        with ui.element("div").classes("filters"):
            for column, kind in zip(preview.columns, preview.types, strict=True):
                choices = list(dict.fromkeys([kind, *TYPES]))
                self._types[column] = ui.select(choices, value=kind, label=column).props("outlined dense")
        for fault in preview.faults:
            notice(fault, "warn")
        text("h3", "The first rows")
        rows = [[plain(value) for value in row] for row in preview.rows]
        Grid("The first rows of the file", "The file has a header alone.", "NULL").fill(preview.columns, rows, 1)

    async def _load(self) -> None:
        table, file = str(self._table.value or "").strip(), self._file
        if file is None or _problem(table):
            return
        types = {column: str(select.value) for column, select in self._types.items()}
        self._load_button.disable()
        stop = self._stop = Stop(600)
        try:
            role = await asyncio.to_thread(needed_to_load, self._portal.director, table)
            with self._portal.act("Import a file into a table", qualified(table), role) as deed:
                report = await blocking.run(self._desk.load, table, file, str(self._mode.value), types, stop)
                deed.tell(f"{report.rows:,} rows")
        except IrisliteError as error:
            with self._body:
                notice(str(error).replace(str(file), "the file"), "bad")
            self._load_button.enable()
        else:
            self._tell(report)

    def _tell(self, report: LoadReport) -> None:
        if not report.bad:
            ui.notify(f"{report.table} got {report.rows:,} rows.", position="top")
            self._dialog.submit(True)
            return
        with self._body:
            notice(f"{report.table} got {report.rows:,} rows; {report.bad_rows:,} were left out:", "warn")
            Grid("Rows that were left out").fill(["Line", "Why"], [[row.line, row.reason] for row in report.bad[:50]])


def _problem(name: str) -> str | None:
    return None if _NAME.fullmatch((name or "").strip()) else "Write schema.table, with letters, digits and _ alone."
