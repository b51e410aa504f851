"""An operation may look at the header of its request, as on IRIS: who sent it, and what the sender says of it."""

from dataclasses import dataclass

from iop import BusinessOperation, BusinessProcess, Message, handler

from irislite.testing import running


@dataclass
class Who(Message):
    text: str = ""


class Asked(BusinessOperation):
    @handler(Who)
    def tell(self, _request: Who) -> Who:
        header = self.iris_handle._RequestHeader
        return Who(f"{header._Id()} {header.SessionId} {header.SourceConfigName}|{header.Description}")


class Asking(BusinessProcess):
    @handler(Who)
    def ask(self, request: Who) -> Who:
        return self.send_request_sync("Asked", request, description="on behalf of another")


def test_the_header_names_the_message_the_sender_and_its_description() -> None:
    with running({"Asked": Asked, "Asking": Asking}) as production:
        assert production.send("Asked", Who()).text == "1 1 EnsLib.Testing.Service|"
        session = production.trace[-1].id + 1
        assert production.send("Asking", Who()).text == f"{session + 1} {session} Asking|on behalf of another"
        name = f"{Who.__module__}.Who"
        told = production.director.test("Asked", name, "{}", user="SuperUser").body
        assert "EnsLib.Testing.Service|sent by SuperUser" in told
