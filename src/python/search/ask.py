"""Answers: a question becomes a vector, the collection says which are near, their covers come as small pictures."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search import collection, encoder, pictures
from search.collection import Collection, Hit
from search.encoder import Choice, Encoder, Vectors
from search.errors import BadRequest, CoverUnreadable
from search.job import address, covers_place, texts_name
from search.options import Options
from search.query import COVERS, Question
from search.shelf import Shelf


@dataclass(frozen=True)
class Found:
    """A hit, and its cover as a small JPEG; None where it cannot be read."""

    hit: Hit
    thumbnail: bytes | None


class Asker:
    """Answers questions about one index; models and collections are opened when they are first needed."""

    def __init__(self, options: Options, token: str = "") -> None:
        self._options, self._address = options, address(options, token)
        self._shelf = Shelf(covers_place(options))
        self._collections: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def ask(self, question: Question, thumbnails: bool = True) -> list[Found]:
        """The books that answer the question, the best first.

        Raises `CollectionMissing` before the first job, `CollectionMismatch`, `BookUnknown`, and what opening a model
        or a picture raises.
        """
        books = self._collection(question.over)
        limit = question.limit
        if question.like:
            hits = books.search(books.vector(question.like), limit + 1, question.filter)
            hits = [hit for hit in hits if hit.key != question.like][:limit]
        else:
            hits = books.search(self._vector(question), limit, question.filter)
        return [Found(hit, self._thumbnail(hit.cover) if thumbnails else None) for hit in hits]

    def embed(self, texts: Sequence[str], images: Sequence[bytes], over: str = COVERS) -> tuple[Vectors, str]:
        """A unit vector for each text, then for each picture, and the model's identity."""
        model = self._encoder(over)
        found = [np.empty((0, model.dimension), np.float32)]
        if texts:
            found.append(model.texts(texts))
        if images:
            found.append(model.pictures([pictures.decode(data) for data in images]))
        return np.concatenate(found), model.identity

    def close(self) -> None:
        """Let go of the collections and of open zips."""
        for one in self._collections.values():
            one.close()
        self._collections.clear()
        self._shelf.close()

    def _collection(self, over: str) -> Collection:
        with self._lock:
            if over not in self._collections:
                name = self._options.collection if over == COVERS else texts_name(self._options)
                found = collection.opened(self._address, name)
                identity, dimension = encoder.facts(self._choice(over))
                found.check(dimension, identity)
                self._collections[over] = found
            return self._collections[over]

    def _choice(self, over: str) -> Choice:
        model = self._options.model if over == COVERS else self._options.text_model
        if not model:
            name = "model" if over == COVERS else "text_model"
            raise BadRequest(f"The setting {name} is empty, so {over} cannot be searched. Name a model.")
        return Choice(model, self._options.dtype, self._options.device)

    def _encoder(self, over: str) -> Encoder:
        return encoder.opened(self._choice(over))

    def _vector(self, question: Question) -> NDArray[np.float32]:
        vectors, _ = self.embed(
            [question.text] if question.text else [], [question.picture] if question.picture else [], question.over
        )
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def _thumbnail(self, reference: str) -> bytes | None:
        if not reference:
            return None
        try:
            return pictures.thumbnail(pictures.decode(self._shelf.read(reference)))
        except CoverUnreadable:  # the cover was moved or changed since: the hit is no worse
            return None
