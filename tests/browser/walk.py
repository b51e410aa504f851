"""A walk through a room: its page, those that it links to, their tabs, and the event of every handler on them."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

QUIET_MS = 150
CONNECTED = "window.socket?.connected"
LINKS = "[...document.querySelectorAll('main a[href]')].map(link => link.getAttribute('href'))"
# Sends events as the page's script does; `unheard` counts those that the server has not confirmed.
_TELL = """
  window.unheard = 0;
  const tell = (id, event, values) => {
    const told = {id: Number(id), client_id: window.clientId, listener_id: event.listener_id,
                  args: values.map(value => JSON.stringify(value))};
    window.unheard += 1;
    window.socket.emit("event", told, () => (window.unheard -= 1));
  };
  const listeners = Object.entries(mounted_app.elements)
    .flatMap(([id, element]) => (element.events || []).map(event => [id, element, event]));
"""
# The event of every listener of every element, with arguments that could be right.
PRESS_ALL = (
    "() => {"
    + _TELL
    + """
  const guesses = {
    "click": [{}], "keydown.enter": [{}], "submit": [{}], "pick": ["Sentiment"],
    "update:model-value": ["1"], "update:modelValue": ["1"],
  };
  for (const [id, element, event] of listeners) {
    const args = event.type === "act" && element.props?.actions
      ? element.props.actions.map(action => [[action.name, element.props.rows?.[0]?.id ?? 1]])
      : [guesses[event.type] || [{}]];
    for (const each of args) tell(id, event, each);
  }
}"""
)
# What is sent when a row's button is pressed.
ACT = (
    "row => {"
    + _TELL
    + """
  for (const [id, , event] of listeners) if (event.type === "act") tell(id, event, [row]);
}"""
)

# Until nothing is added or taken away any more.
SETTLED = """quiet_ms => new Promise(resolve => {
  let timer = setTimeout(resolve, quiet_ms);
  const again = () => { clearTimeout(timer); timer = setTimeout(resolve, quiet_ms); };
  new MutationObserver(again).observe(document.body, {subtree: true, childList: true});
})"""


def walk(page: Page, path: str) -> Iterator[str]:
    """Open a room, and one page of each sort that it links to, with each of their tabs; yields where it is now."""
    waiting, seen = [path], {_sort(path)}
    while waiting:
        address = waiting.pop(0)
        for place in with_tabs(page, address):
            if place == address:
                for link in page.evaluate(LINKS):
                    if link.startswith(f"{path}?") and _sort(link) not in seen:
                        seen.add(_sort(link))
                        waiting.append(link)
            yield place


def with_tabs(page: Page, address: str) -> Iterator[str]:
    """Open a page, then with each of its tabs, each time anew: what is pressed on one may close another."""
    _open(page, address)
    count = page.get_by_role("tab").count()
    yield address
    for number in range(count):
        _open(page, address)
        tab = page.get_by_role("tab").nth(number)
        name = tab.inner_text()
        tab.evaluate("tab => tab.click()")  # whatever lies above it
        page.evaluate(SETTLED, QUIET_MS)
        yield f"{address} {name}"


def _open(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function(CONNECTED)
    page.evaluate(SETTLED, QUIET_MS)


def press_everything(page: Page) -> None:
    """Send the event of every handler; twice, because what opens, as a question, has handlers of its own."""
    for _ in range(2):
        _send(page, PRESS_ALL)
        page.wait_for_timeout(120)  # what handlers left to do


def act_on_row(page: Page, action: str, row_id: str) -> None:
    """Send what a row's button sends, also where it is not shown."""
    _send(page, ACT, [action, row_id])


def _send(page: Page, script: str, argument: object = None) -> None:
    page.evaluate(script, argument)
    page.wait_for_function("!window.unheard")  # nor in the page that an event led to


def _sort(address: str) -> frozenset[str]:
    """Pages with the same names in their query show the same of something else."""
    return frozenset(parse_qs(urlsplit(address).query))
