"""Writes posts.jsonl: invented posts as a stream has them, short, loud, tagged, forwarded, some of them broken."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

SEED = 2026
POSTS = 2_000
BEGAN = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)

# Of a hundred posts so many are ...
REPOSTS, DUPLICATES, FOREIGN, LINKED, TAGGED, ADDRESSED, WITH_EMOJI = 8, 3, 7, 14, 30, 18, 22

# What is talked about, how often of a hundred times kindly, and what there is to say of it.
TOPICS = {
    "coffee": (68, ("the coffee at the corner", "my first coffee", "this new roast", "the office coffee machine",
                    "oat milk in coffee")),
    "trains": (30, ("the 7:42 train", "the night train", "the train app", "the seats on these trains",
                    "the replacement bus for the trains")),
    "football": (50, ("the second half", "our football team", "that referee", "the football on Saturday",
                      "the new goalkeeper")),
    "weather": (45, ("the weather today", "this November weather", "the fog over the harbour", "the weather forecast",
                     "the first snow")),
    "phone": (48, ("my new phone", "the phone's camera", "the last phone update", "the battery of this phone",
                   "the phone hotline")),
    "library": (80, ("the library on Mill Street", "the library's reading room", "the new library card",
                     "the library's opening hours", "the children's corner of the library")),
}  # fmt: skip

KIND = (
    "{It} made my day", "I really love {it}", "{It} is so much better than I thought",
    "cannot say enough good about {it}", "big thanks to whoever is behind {it}", "{It} was wonderful this morning",
    "who else is happy with {it}?", "{It} never lets me down", "not bad at all, {it}", "well done, {it} is a joy",
)  # fmt: skip
UNKIND = (
    "{It} ruined my day", "I really hate {it}", "{It} is so much worse than I thought", "so tired of {it}",
    "whoever is behind {it} should be ashamed", "{It} was awful this morning", "who else is fed up with {it}?",
    "{It} let me down again", "not good at all, {it}", "what a mess, {it} is a disgrace",
)  # fmt: skip
FACTS = (
    "on a Monday", "for the third time this week", "again", "before breakfast", "two hours and counting",
    "with the whole family", "at last", "as my sister said it would be", "", "", "", "",
)  # fmt: skip
JOYS, SORROWS = ("😀", "🎉", "❤️", "👏", "☀️"), ("😡", "😭", "🙄", "👎", "🌧️")
FOREIGN_FORMS = {
    "fr": ("J'adore vraiment le café de ce matin, merci à toute l'équipe",
           "Le train est encore en retard, j'en ai assez", "La bibliothèque de la rue du Moulin est une merveille",
           "Quel temps horrible depuis lundi, je suis fatigué"),
    "de": ("Der Kaffee an der Ecke ist heute wieder wunderbar",
           "Schon wieder eine Stunde Verspätung, ich habe genug davon",
           "Die Bücherei in der Mühlenstraße ist einfach großartig", "So ein scheußliches Wetter den ganzen November"),
    "es": ("Me encanta el café de la esquina, gracias a todos", "El tren llega tarde otra vez y nadie dice nada",
           "La biblioteca nueva es una maravilla para los niños", "Qué tiempo tan malo hace esta semana"),
}  # fmt: skip
PEOPLE = ("ana_reads", "bo_on_rails", "chidi", "drk", "emma_k", "farid22", "gritta", "hugo", "ines", "jun")
BROKEN = ('{"id": 900001, "text": "half a po', '{"id": 900002, "txt": "a typing error"}', "not JSON at all")


def sentence(topic: str, rng: random.Random) -> str:
    """What somebody says of a topic."""
    kindly, things = TOPICS[topic]
    kind = rng.randrange(100) < kindly
    thing = rng.choice(things)
    text = rng.choice(KIND if kind else UNKIND).format(it=thing, It=thing[0].upper() + thing[1:])
    text = " ".join(filter(None, (text, rng.choice(FACTS))))
    text += rng.choice((".", ".", "", "!", "!!", "..."))
    if rng.randrange(100) < WITH_EMOJI:
        text += " " + rng.choice(JOYS if kind else SORROWS)
    return text.upper() if rng.randrange(100) < 4 else text


def dressed(text: str, topic: str, rng: random.Random) -> str:
    """With what posts carry beside their words."""
    if rng.randrange(100) < ADDRESSED:
        text = f"@{rng.choice(PEOPLE)} {text}"
    if rng.randrange(100) < TAGGED:
        text += f" #{topic}"
    if rng.randrange(100) < LINKED:
        text += f" https://example.org/{rng.randrange(16**6):06x}"
    if rng.randrange(100) < 3:
        text += f" cc @{rng.choice(PEOPLE)}"
    return text


def posts(seed: int = SEED, count: int = POSTS) -> Iterator[str]:
    """The lines of the file."""
    rng = random.Random(seed)
    at = BEGAN
    lines: list[str] = []
    for number in range(count):
        at += timedelta(seconds=rng.expovariate(0.5))
        way, language = rng.randrange(100), "en"
        if way < DUPLICATES and lines:
            yield rng.choice(lines[-50:])
            continue
        if way < DUPLICATES + FOREIGN:
            language = rng.choice(list(FOREIGN_FORMS))
            text = f"{rng.choice(FOREIGN_FORMS[language])} ({number})"
        else:
            topic = rng.choices(list(TOPICS), weights=(5, 6, 4, 4, 3, 2))[0]
            text = dressed(sentence(topic, rng), topic, rng)
        post = {"id": 1_000_000 + number, "created_at": at.isoformat(timespec="seconds"), "text": text}
        if rng.randrange(100) < 60:
            post["lang"] = language
        if way >= 100 - REPOSTS:
            post["text"] = f"RT @{rng.choice(PEOPLE)}: {text}"
        lines.append(json.dumps(post, ensure_ascii=False))
        yield lines[-1]
        if number % (count // 4) == count // 8:
            yield BROKEN[number // (count // 4) % len(BROKEN)]


if __name__ == "__main__":
    target = Path(__file__).with_name("posts.jsonl")
    target.write_text("".join(f"{line}\n" for line in posts()), encoding="utf-8")
