"""SQL: the tables, an editor for one statement at a time, its rows by the page, exports, and the way to an import."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from nicegui import background_tasks, ui

from irislite.actor import Role
from irislite.errors import IrisliteError
from irislite.sql.desk import LONGEST_TIMEOUT_S, MOST_ROWS, TIMEOUT_S, Answer, Desk, Format, Stop
from irislite.sql.statements import Kind
from irislite.web import blocking
from irislite.web.portal import sqlimport
from irislite.web.portal.controls import button, confirmed, duration, notice, text, told
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.rows import cut
from irislite.web.portal.widgets import Grid
from irislite.web.sqltwin import MEDIA_TYPES, ROLES, SqlTable, plain, tables_of
from irislite.web.sqltwin import told as told_to_audit

PATH = "/sql"
PAGE = 100  # rows
LONGEST_CELL = 4_000  # characters that travel to the browser
FIRST = "SELECT TOP 100 * FROM {table}"
_FORMATS: dict[Format, str] = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}
_TIMES = {10: "10 s", TIMEOUT_S: "30 s", 120: "2 min", LONGEST_TIMEOUT_S: "10 min"}
_QUESTIONS: dict[Kind, tuple[str, str]] = {
    "write": ("Change rows?", "It is done at once, and there is no way back."),
    "define": ("Change the tables?", "It is done at once, and there is no way back."),
}


async def page(portal: Portal, statement: str = "") -> None:
    """`statement` is what the editor begins with: a link can ask, and never runs, a statement."""
    with frame(portal, "SQL", PATH):
        await _Sql(portal).build(statement)


class _Sql:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._desk = Desk(portal.director.tables)
        self._stop: Stop | None = None
        self._answer: Answer | None = None
        self._statement = ""  # what `_answer` is the answer to
        self._first = 0

    async def build(self, statement: str) -> None:
        with head("SQL"):
            ui.element("div").classes("grow")
            made = button("Import a file", "upload_file", lambda: sqlimport.ask(self._portal, self._show_tables))
            made.set_enabled(self._portal.may(Role.OPERATOR))
        tables = await asyncio.to_thread(tables_of, self._portal.director)
        own = next((table.name for table in tables if not table.of_runtime), tables[0].name)
        with ui.element("div").classes("sql"):
            with ui.element("section").classes("panel panel-body sql-tables").props("aria-label=Tables"):
                search = ui.input("Find a table or field").props("outlined dense clearable type=search debounce=150")
                search.on_value_change(lambda event: self._list(str(event.value or "")))
                self._tables = ui.element("div").classes("stack tight")
            with ui.element("div").classes("stack"):
                with ui.element("section").classes("panel panel-body").props("aria-label=Statement"):
                    self._editor(cut(statement, 20_000) or FIRST.format(table=own))
                self._result = ui.element("section").classes("panel").props('aria-label="Rows" aria-live=polite')
        self._known = tables
        self._list("")
        with self._result:
            ui.label("The rows appear here.").classes("empty muted")

    # -- tables ----------------------------------------------------------------------------------------

    async def _show_tables(self) -> None:
        self._known = await asyncio.to_thread(tables_of, self._portal.director)
        self._list("")

    def _list(self, wanted: str) -> None:
        self._tables.clear()
        wanted = wanted.lower().strip()
        with self._tables:
            found = [table for table in self._known if not wanted or wanted in _words(table)]
            for table in found:
                self._table(table, bool(wanted) and len(found) < 4)
            if not found:
                ui.label("No table has that.").classes("muted small")

    def _table(self, table: SqlTable, is_open: bool) -> None:
        with ui.element("details").classes("sql-table").props("open" if is_open else ""):
            with text("summary", table.name).classes("mono"):
                if table.of_runtime:
                    text("span", " read only").classes("small muted")
            with ui.element("ul"):
                for column in table.columns:
                    with ui.element("li"):
                        text("span", column.name).classes("mono")
                        kind = column.type + ("" if column.nullable else " not null")
                        text("span", f" {kind}").classes("small muted")
            show = button("Show rows", "table_rows", lambda: self._run(FIRST.format(table=table.name)), "quiet")
            show.props["aria-label"] = f"Show rows of {table.name}"

    # -- the statement -----------------------------------------------------------------------------------

    def _editor(self, statement: str) -> None:
        self._typed = ui.textarea("Statement", value=statement).classes("mono")
        self._typed.props("outlined autogrow spellcheck=false stack-label input-style='min-height: 96px'")
        self._typed.on("keydown.ctrl.enter", lambda: self._run())
        with ui.element("div").classes("row-wrap"):
            self._run_button = button("Run", "play_arrow", lambda: self._run(), "primary")
            self._cancel_button = button("Cancel", "stop", self._cancel)
            self._cancel_button.disable()
            self._time = ui.select(_TIMES, value=TIMEOUT_S, label="Time limit").props("outlined dense").classes("short")
            ui.element("div").classes("grow")
            with ui.button_group().props("flat").classes("exports"):
                for form, name in _FORMATS.items():
                    made = button(name, "download", lambda form=form: self._export(form), "quiet")
                    made.props.update({"aria-label": f"Export as {name}", "title": f"All rows of the query as {name}"})
        ui.label(
            "One statement at a time, a transaction of its own. Ctrl+Enter runs it. "
            "Viewers read; operators change rows; administrators change tables."
        ).classes("small muted")

    async def _run(self, statement: str = "") -> None:
        if statement:
            self._typed.value = statement
        statement = str(self._typed.value or "").strip()
        stop = self._stop = Stop(float(self._time.value))
        self._busy(True)
        try:
            kind = await asyncio.to_thread(self._desk.kind, statement)
            asked = kind in _QUESTIONS and self._portal.may(ROLES[kind])  # nobody is asked what will be refused
            if asked and not await confirmed(*_QUESTIONS[kind], "Run it", "danger"):
                return
            with self._portal.act("Run a SQL statement", role=ROLES[kind]) as deed:
                answer = await blocking.run(self._desk.run, statement, MOST_ROWS, 0, stop)
                deed.tell(told_to_audit(kind, statement, answer.rowcount, len(answer.rows)))
        except IrisliteError as error:
            self._fail(str(error))
        else:
            self._answer, self._statement, self._first = answer, statement, 0
            self._show()
            if kind == "define":
                await self._show_tables()
        finally:
            self._busy(False)

    def _cancel(self) -> None:
        if self._stop is not None:
            self._stop.set()

    def _busy(self, busy: bool) -> None:
        self._run_button.set_enabled(not busy)
        self._cancel_button.set_enabled(busy)

    # -- its rows ------------------------------------------------------------------------------------------

    def _fail(self, error: str) -> None:
        self._answer = None
        self._result.clear()
        with self._result, ui.element("div").classes("panel-body"):
            notice(error, "bad")

    def _show(self) -> None:
        answer = self._answer
        if answer is None:
            return
        self._result.clear()
        with self._result:
            if answer.rowcount >= 0:
                with ui.element("div").classes("panel-body"):
                    changed = f"{answer.rowcount:,} rows were changed" if answer.rowcount else "Done"
                    notice(f"{changed}, in {duration(answer.took_s * 1000)}.", "note")
                return
            with ui.element("div").classes("row-wrap grid-head"):
                self._said(answer)
            rows = answer.rows[self._first : self._first + PAGE]
            shown = [[_cell(value) for value in row] for row in rows]
            Grid("Rows of the query", "The query has no rows.", "NULL").fill(answer.columns, shown, self._first + 1)

    def _said(self, answer: Answer) -> None:
        count, last = len(answer.rows), min(self._first + PAGE, len(answer.rows))
        which = f"Rows {self._first + 1:,} to {last:,} of {count:,}" if count > PAGE else f"{count:,} rows"
        more = ": the first ones; an export has all of them" if answer.more else ""
        text("span", f"{which}{more}, in {duration(answer.took_s * 1000)}").classes("muted")
        ui.element("div").classes("grow")
        if count > PAGE:
            button("Previous", "chevron_left", lambda: self._turn(-PAGE), "quiet").set_enabled(self._first > 0)
            button("Next", "chevron_right", lambda: self._turn(PAGE), "quiet").set_enabled(last < count)

    def _turn(self, by: int) -> None:
        self._first = max(0, self._first + by)
        self._show()

    async def _export(self, form: Format) -> None:
        statement = str(self._typed.value or "").strip()
        stop = self._stop = Stop(LONGEST_TIMEOUT_S)
        folder = tempfile.TemporaryDirectory(prefix="irislite-export-")
        file = Path(folder.name) / f"rows.{form}"
        self._busy(True)
        try:
            with told(), self._portal.act("Export the rows of a query", role=ROLES["rows"]) as deed:
                count = await blocking.run(self._desk.export, statement, form, file, stop)
                deed.tell(f"{count:,} rows as {form}")
                ui.download.file(file, file.name, MEDIA_TYPES[form])
                ui.notify(f"{count:,} rows were exported.", position="top")
        finally:
            self._busy(False)
            background_tasks.create(_forget(folder))


async def _forget(folder: "tempfile.TemporaryDirectory[str]") -> None:
    """The browser fetches the file in a moment; later it is not needed."""
    await asyncio.sleep(60)
    folder.cleanup()


def _cell(value: Any) -> Any:
    value = plain(value)
    return cut(value, LONGEST_CELL) if isinstance(value, str) else value


def _words(table: SqlTable) -> str:
    return " ".join([table.name, *(column.name for column in table.columns)]).lower()
