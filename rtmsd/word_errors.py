"""How well words were heard."""

from __future__ import annotations

import re


def words_of(text: str) -> list[str]:
    """Give the words of a text, without what formatting does: case and punctuation."""
    return re.findall(r"[\w']+", text.lower().replace("’", "'"))


def word_errors(said: str, heard: str) -> int:
    """Count the words to insert, delete or replace to get from the one to the other.

    Divided by the number of words that were said, this is the word error rate; it may be more than 1.
    """
    ours, theirs = words_of(said), words_of(heard)
    row = list(range(len(theirs) + 1))
    for index, one in enumerate(ours, start=1):
        before, row[0] = row[0], index
        for at, other in enumerate(theirs, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (one != other))
    return row[-1]
