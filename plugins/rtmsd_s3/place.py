"""Where in the world a bucket is: `s3://bucket/prefix` and its likes."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMES = ("s3", "gs", "az", "file")


@dataclass(frozen=True)
class Place:
    """A bucket, and the beginning of all names in it; of `file` the bucket is empty and the prefix a directory."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """Take a URL apart; raises ValueError with a sentence."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in SCHEMES:
            known = ", ".join(f"{one}://" for one in SCHEMES)
            raise ValueError(f'url must begin with one of {known}, and is "{url[:200]}"')
        bucket, _, prefix = rest.partition("/")
        if scheme == "file" and bucket:
            raise ValueError(
                f'url must name an absolute path after file://, such as file:///srv/x, and is "{url[:200]}"'
            )
        if scheme != "file" and not bucket:
            raise ValueError(f'url must name a bucket after {scheme}://, and is "{url[:200]}"')
        if set(bucket) & set("@:?#%{}") or not bucket.isprintable():
            raise ValueError(
                f"url must have nothing but the name of the bucket after {scheme}:// (the address of a server is "
                f'`endpoint`, credentials are options of their own), and has "{bucket[:100]}"'
            )
        parts = prefix.removesuffix("/").split("/")
        if parts == [""]:
            parts = []
        if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
            raise ValueError(f'url must be without "//", "." and ".." below the bucket, and is "{url[:200]}"')
        if set(prefix) & set("?#{}"):
            raise ValueError(
                f'url takes no variables and no "?" or "#" (variables stand in `layout`), and is "{url[:200]}"'
            )
        return cls(scheme, bucket, "/".join(parts))

    def url(self, key: str = "") -> str:
        """Write an object's URL, or the place's own."""
        return f"{self.scheme}://{self.bucket}/" + "/".join(filter(None, (self.prefix, key)))
