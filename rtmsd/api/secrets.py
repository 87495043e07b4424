"""A value that does not show itself: what an option of type `Secret` holds."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn


class Secret:
    """A secret that prints as `***` and is neither pickled nor put into JSON; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    # A hash could be compared, which is what a secret should not be.
    __hash__ = None  # type: ignore[assignment]  # object declares it callable

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
