"""What differs from product to product: webhooks, ids, what can be had (protocol.md §1.1, §2.5.4, §5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from rtmsd.frames import MediaKind, StreamInfo

_ALL_MEDIA = frozenset(MediaKind)
_A_CALL = frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT})


class Product(msgspec.Struct, frozen=True):
    """One product of Zoom's.

    `prefix` is how its webhooks begin. `id_key` is what its documentation calls the id in handshakes, besides
    `meeting_uuid`, which Zoom's own client sends for every product (§5.2, §10 C4). `media` is what it can carry.
    `channels`: its parties are channels, told apart by `channel_id`.
    """

    prefix: str
    id_key: str = "meeting_uuid"
    media: frozenset[MediaKind] = _ALL_MEDIA
    channels: bool = False


PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "meeting": Product("meeting"),
        "webinar": Product("webinar"),
        "video_sdk": Product("session", id_key="session_id"),
        "contact_center": Product("contact_center", id_key="engagement_id", media=_A_CALL, channels=True),
        # Of Zoom Phone little is published: that its id is `call_id`, and that a call has audio, is guessed.
        "phone": Product("phone", id_key="call_id", media=_A_CALL),
    }
)
"""By `StreamInfo.product`."""

BY_PREFIX: Mapping[str, str] = MappingProxyType({one.prefix: name for name, one in PRODUCTS.items()})
"""Products by the prefix of their webhooks."""


def product_of(info: StreamInfo) -> Product:
    """Return the stream's product; one that is not known is like a meeting."""
    return PRODUCTS.get(info.product) or PRODUCTS["meeting"]


def handshake_ids(info: StreamInfo) -> dict[str, str]:
    """Return the ids that handshakes 1 and 3 carry: the documented key, where it has another, and `meeting_uuid`.

    All have the same value, over which the signature goes.
    """
    return {product_of(info).id_key: info.meeting_uuid, "meeting_uuid": info.meeting_uuid}
