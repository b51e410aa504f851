"""The production of the browser tests."""

import desk_hosts as hosts
from iop import Production

desk = Production("Desk.Production")
desk.service("Review Feed", hosts.Feed, enabled=False, comment="Enabled at night only.")
desk.process("Review Router", hosts.Router)
SETTINGS = {"%settings": "name=reviews\ntask=text-classification"}
desk.operation("Sentiment", hosts.Sentiment, pool_size=2, settings=SETTINGS)
desk.operation("Picture Detector", hosts.Detector, category="Pictures")
desk.operation("Trainer", hosts.Trainer, category="Tuning, Nightly")
desk.operation("Fragile", hosts.Fragile)
desk.operation("Broken Model", hosts.Broken)
desk.operation("Spare", hosts.Sentiment, enabled=False, comment=f"Not wanted yet. {hosts.MARKUP}")
PRODUCTIONS = [desk]
