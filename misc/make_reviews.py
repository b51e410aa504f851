"""Writes reviews.csv beside this file: invented reviews with labels 1 (bad) to 5 (good), from a seed.

A review is a list of opinions, each with a polarity from -2 to 2. The label says which polarities
are drawn; praise and blame are mixed, negated, and surrounded by facts that say nothing.
"""

import csv
import io
import itertools
import random
import re
from pathlib import Path

SEED = 2026
ROWS = 2_500
MISLABELLED = 0.04  # share of rows whose label is moved to a neighbour, as careless people do

# Polarities that the opinions of a label are drawn from: the first is always said, the others as length allows.
OPINIONS = {
    5: ((2,), (2, 2, 2, 1, -1)),
    4: ((1, 1, 1, 2), (1, 1, 1, 2, 0, -1)),
    3: ((0, 0, 0, 1, -1), (0, 0, 1, -1, 2, -2)),
    2: ((-1, -1, -1, -2), (-1, -1, -1, -2, 0, 1)),
    1: ((-2,), (-2, -2, -2, -1, 1)),
}


def words(text: str) -> list[str]:
    return text.split()


ADJECTIVES = {
    2: words("excellent great amazing wonderful superb outstanding fantastic perfect brilliant exceptional"),
    1: words("good nice pleasant decent solid reliable fine helpful likeable satisfying"),
    0: words("okay average ordinary acceptable unremarkable plain passable so-so middling fair"),
    -1: words("bad poor weak disappointing dull slow mediocre annoying underwhelming unpleasant"),
    -2: words("terrible awful dreadful appalling horrible disgraceful atrocious disgusting hopeless abysmal"),
}

# How an opinion about {it} is put; {a} is an adjective of the polarity after the colon.
FORMS = {
    2: (
        "{It} was {a:2}.", "{It} is simply {a:2}.", "I have rarely met anything as {a:2} as {it}.",
        "We were thrilled with {it}.", "{It} could not have been better.", "What {a:2} work, I mean {it}.",
        "There is nothing I would change about {it}.", "{It} beat everything we had hoped for.",
        "I was warned about {it}, and it turned out {a:2}.", "{It}, in one word: {a:2}.",
    ),
    1: (
        "{It} was {a:1}.", "{It} was quite {a:1}, I thought.", "I liked {it}.", "{It} was not {a:-1} at all.",
        "{It} was better than I had expected.", "{It} turned out {a:1} enough.", "No complaints about {it}.",
        "{It} was {a:1}, if not {a:2}.", "I had feared something {a:-2}, but {it} was {a:1}.",
        "{It} served its purpose well.",
    ),
    0: (
        "{It} was {a:0}.", "{It} was neither {a:1} nor {a:-1}.", "{It} was all right, no more and no less.",
        "I would not call {it} {a:2}, but I have seen worse.", "{It} was what one gets everywhere.",
        "About {it} I have no strong feelings.", "{It} was {a:1} one day and {a:-1} the next.",
        "{It} was {a:0}, which is all I asked for.", "One can live with {it}.", "{It} was hardly {a:2}, hardly {a:-2}.",
    ),
    -1: (
        "{It} was {a:-1}.", "{It} was rather {a:-1}.", "{It} was not {a:1}.", "I did not like {it} much.",
        "{It} was nowhere near {a:2}.", "I had expected more of {it}.", "{It} could do with some work.",
        "{It} is said to be {a:2}; I found it {a:-1}.", "Not {a:-2}, but {it} was {a:-1} all the same.",
        "{It} was never really {a:1}.",
    ),
    -2: (
        "{It} was {a:-2}.", "{It} was nothing short of {a:-2}.", "I have never seen anything as {a:-2} as {it}.",
        "Who can call {it} {a:2}? It was {a:-2}.", "{It} could hardly have been worse.", "We were furious about {it}.",
        "{It} was so {a:-2} that we gave up.", "Nothing about {it} was {a:1}, nothing at all.",
        "{It} ruined everything.", "They promise something {a:2}, and {it} is {a:-2}.",
    ),
}  # fmt: skip

# Opinions about the whole of it.
OVERALL = {
    2: (
        "I loved every minute of it.", "The best {trade} I know.", "A really {a:2} experience from start to end.",
        "Absolutely {a:2}, all of it.", "Nothing but praise from me.",
    ),
    1: (
        "All in all a {a:1} experience.", "We were happy enough with it.", "Very {a:1} for the price.",
        "A {a:1} {trade}, though nothing out of this world.", "On the whole I was pleased.",
    ),
    0: (
        "All in all it was okay, nothing special.", "Nothing to rave about, nothing to moan about.",
        "A {trade} like any other.", "Just {a:0}, that is all.", "It was neither a good nor a bad experience.",
    ),
    -1: (
        "All in all a rather {a:-1} experience.", "Not really worth the money.", "We were a little let down.",
        "Very {a:-1} for the price.", "I have seen a better {trade}.",
    ),
    -2: (
        "I hated every minute of it.", "The worst {trade} I know.", "A really {a:-2} experience from start to end.",
        "A complete waste of time and money.", "Absolutely {a:-2}, all of it.",
    ),
}  # fmt: skip

# Per trade: what there is to judge, what happens when it is good or bad, and facts that judge nothing.
TRADES = {
    "restaurant": (
        ("the food", "the soup", "the waiter", "the menu", "the dessert", "the table by the window", "the wine list",
         "the bread", "the lunch offer", "the music"),
        ("The cook came out to ask whether we were happy.", "They found us a table although the room was full.",
         "My plate was empty before I looked up.", "We stayed an hour longer than planned."),
        ("The fish was still frozen inside.", "We waited ninety minutes for a cold plate.",
         "There was a hair in the rice.",
         "They charged us for a bottle that we never had."),
        ("We were four people on a Tuesday.", "It is a small place near the station.", "The menu changes every month.",
         "I had the set lunch and my wife had the noodles.", "It was raining, so nobody sat outside."),
    ),
    "hotel": (
        ("the room", "the bed", "the breakfast", "the reception", "the view", "the bathroom", "the lift", "the pool",
         "the air conditioning", "the wireless connection"),
        ("They gave us a larger room for nothing.", "We slept like stones.", "A forgotten coat came after us by post.",
         "Someone carried our bags up all the stairs."),
        ("There was mould behind the curtain.", "The heating banged all night.",
         "Our booking had vanished and nobody cared.",
         "The sheets had stains on both sides."),
        ("We booked two nights in October.", "The building used to be a school.", "Our room was on the third floor.",
         "Checkout is at eleven.", "I was there for a conference."),
    ),
    "online shop": (
        ("the delivery", "the packaging", "the website", "the return", "the customer service", "the choice of sizes",
         "the description", "the payment", "the invoice", "the search page"),
        ("The parcel was there the next morning.", "They replaced a broken cup without a question.",
         "A real person answered within minutes.", "They had put a handwritten card into the box."),
        ("The parcel never came and nobody answers.", "They sent the wrong colour, twice.", "My money is still gone.",
         "The box was open and half of it was missing."),
        ("I ordered three shirts and a belt.", "The order number had twelve digits.", "I paid by card as usual.",
         "The parcel came in brown paper.", "It was a present for my brother."),
    ),
    "product": (
        ("the battery", "the screen", "the manual", "the sound", "the keyboard", "the case", "the software",
         "the camera",
         "the charger", "the build quality"),
        ("It still runs after two years of daily use.", "My grandmother set it up alone.",
         "It survived a fall down the stairs.",
         "I bought a second one for the office."),
        ("It died after three days.", "It gets so hot that it smells.", "The hinge broke the first time I opened it.",
         "It lost all my pictures."),
        ("I use it mainly on the train.", "It comes in black and in grey.", "I had the older model before.",
         "It weighs about a kilo.", "The box holds a cable and a small bag."),
    ),
    "repair service": (
        ("the technician", "the estimate", "the appointment", "the hotline", "the finished work", "the bill",
         "the explanation", "the workshop", "the spare part", "the follow-up call"),
        ("He came on a Sunday and stayed until it worked.", "They charged less than the estimate.",
         "She found in a minute what others had missed for a year.", "They even swept the floor."),
        ("Nobody came, and nobody called.", "It broke again the same evening.",
         "They wanted double the price they had named.",
         "Now it leaks in two places and not in one."),
        ("It was about the washing machine.", "I called them on a Monday.", "They work in the whole county.",
         "The car is nine years old.", "A neighbour had given me the number."),
    ),
    "gym": (
        ("the trainer", "the changing room", "the equipment", "the yoga class", "the timetable", "the contract",
         "the sauna", "the first lesson", "the air inside", "the members' app"),
        ("My back has not hurt since.", "The trainer remembered every name after one evening.",
         "They let me pause the contract while I was ill.", "I look forward to every single visit."),
        ("They keep charging me after I left.", "Half of the machines have been broken for months.",
         "My locker was forced and they shrugged.", "The shower was cold for the whole winter."),
        ("I go there twice a week.", "It is above a supermarket.", "Most people come after work.",
         "I signed up in January.", "There are two floors."),
    ),
}  # fmt: skip

OPENINGS = (
    "A friend told us about this {trade}.", "I do not write reviews often.",
    "This is about the {trade} around the corner.",
    "My second time with this {trade}.", "Where shall I begin?", "I read the other reviews before.", "A short note.",
    "We tried this {trade} last month.", "For the record.", "Writing this on the way home.",
)  # fmt: skip

CLOSINGS = {
    2: ("We will be back.", "Go there.", "I tell everyone about it.",
        "Five times out of five I would choose it again."),
    1: ("We will probably be back.", "I can recommend it.", "Worth a try.", "I would choose it again, I think."),
    0: ("Maybe again, maybe not.", "You decide.", "It depends on what you look for.",
        "Hard to say whether I would return."),
    -1: ("I shall look elsewhere next time.", "Think twice.", "I would not recommend it.", "A pity, really."),
    -2: ("Never again.", "Stay away.", "I want my money back.", "I would give no points if I could."),
}  # fmt: skip

JOINTS = {
    "same": ("And", "Also,", "Besides,", "What is more,"),
    "other": ("But", "Still,", "However,", "On the other hand,"),
}


class Trade:
    """What a review of one trade can speak of, in random order and nothing twice before all else was said."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        subjects, good, bad, facts = (rng.sample(things, len(things)) for things in TRADES[name])
        self._subjects = itertools.cycle(subjects)
        self._overall = {polarity: iter(rng.sample(forms, len(forms))) for polarity, forms in OVERALL.items()}
        self._events = {2: iter(good), -2: iter(bad)}
        self._facts = iter(facts)
        self._rng = rng

    def opinion(self, polarity: int) -> str:
        """One sentence of that polarity: about the whole, of something that happened, or about one thing."""
        way = self._rng.random()
        if way < 0.15 and (overall := next(self._overall[polarity], "")):
            return self._filled(overall)
        if way < 0.35 and abs(polarity) == 2 and (event := next(self._events[polarity], "")):
            return event
        it = next(self._subjects)
        form = self._rng.choice(FORMS[polarity])
        return self._filled(form.replace("{It}", it[0].upper() + it[1:]).replace("{it}", it))

    def _filled(self, form: str) -> str:
        sentence = form.replace("{trade}", self.name)
        for strength, adjectives in ADJECTIVES.items():
            sentence = sentence.replace(f"{{a:{strength}}}", self._rng.choice(adjectives))
        return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", sentence)

    def fact(self) -> str:
        """A sentence that judges nothing; "" when all were said."""
        return next(self._facts, "")


def review(label: int, rng: random.Random) -> str:
    """The text of one review that deserves `label`."""
    trade = Trade(rng.choice(list(TRADES)), rng)
    first, others = OPINIONS[label]
    count = min(14, 1 + int(rng.lognormvariate(0.35, 0.75)))
    polarities = [rng.choice(first), *(rng.choice(others) for _ in range(count - 1))]
    rng.shuffle(polarities)
    sentences = [rng.choice(OPENINGS).replace("{trade}", trade.name)] if rng.random() < 0.25 else []
    before = 0
    for polarity in polarities:
        sentences.append(joined(before * polarity, trade.opinion(polarity), rng))
        before = polarity
        if rng.random() < 0.3:
            sentences.append(trade.fact())
            before = 0
    if rng.random() < 0.3:
        sentences.append(rng.choice(CLOSINGS[rng.choice(first)]))
    return spoken(" ".join(filter(None, sentences)), rng)


def joined(agreement: int, sentence: str, rng: random.Random) -> str:
    """The sentence, at times begun with And (it agrees with the one before, above 0) or But (it does not, below 0)."""
    if agreement == 0 or rng.random() > 0.35:
        return sentence
    joint = rng.choice(JOINTS["same" if agreement > 0 else "other"])
    return f"{joint} {sentence if sentence.startswith('I ') else sentence[0].lower() + sentence[1:]}"


def spoken(text: str, rng: random.Random) -> str:
    """The text as people type it: some shout, some have no capitals, some forget the full stop."""
    mood = rng.random()
    if mood < 0.08:
        return text.lower()
    if mood < 0.14:
        return text.rstrip(".")
    if mood < 0.19:
        return text[:-1] + "!" * rng.randint(1, 3)
    return text


def rows(seed: int = SEED, count: int = ROWS) -> list[tuple[int, str]]:
    """`count` pairs of label and text, no text twice, labels about equally often, in random order."""
    rng = random.Random(seed)
    texts: dict[str, int] = {}
    while len(texts) < count:
        deserved = rng.randint(1, 5)
        text = review(deserved, rng)
        label = deserved
        if rng.random() < MISLABELLED:
            label = min(5, max(1, deserved + rng.choice((-1, 1))))
        texts.setdefault(text, label)
    return [(label, text) for text, label in texts.items()]


def csv_text() -> str:
    """The whole file."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("ReviewLabel", "ReviewText"))
    writer.writerows(rows())
    return file.getvalue()


if __name__ == "__main__":
    Path(__file__).with_name("reviews.csv").write_text(csv_text(), encoding="utf-8")
