"""The session cookie, as it is set and cleared (RFC 6265bis).

`__Host-` makes the browser refuse the cookie unless it is Secure, for the whole site and for this host alone, so that
no other host of the domain and nobody on a plain connection can put one of theirs in its place. HttpOnly keeps it from
scripts, SameSite=Lax from other sites' requests but for plain links.
"""

from narthex_plugins.auth.credentials import LOOPBACK


class CookieJar:
    """Writes `Set-Cookie`.

    Args:
        name: without its prefix.
        insecure: whether http clients on loopback get one too, under another name and without Secure.
    """

    def __init__(self, name: str, *, insecure: bool) -> None:
        self.secure = f"__Host-{name}"
        self.insecure = f"{name}-insecure" if insecure else None

    @property
    def names(self) -> tuple[str, ...]:
        """Of every cookie that is read."""
        return (self.secure,) if self.insecure is None else (self.secure, self.insecure)

    def setting(self, value: str, lifetime: float, scheme: str, host: str) -> tuple[bytes, bytes]:
        """The field that gives the browser a session, for as long as that lives."""
        age = f"Max-Age={int(lifetime)}"
        if self.insecure is not None and scheme == "http" and _hostname(host) in LOOPBACK:
            text = f"{self.insecure}={value}; {age}; Path=/; HttpOnly; SameSite=Lax"
        else:
            text = f"{self.secure}={value}; {age}; Path=/; Secure; HttpOnly; SameSite=Lax"
        return b"set-cookie", text.encode("ascii")

    def clearing(self) -> tuple[tuple[bytes, bytes], ...]:
        """The fields that have the browser forget it."""
        fields = [f"{self.secure}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"]
        if self.insecure is not None:
            fields.append(f"{self.insecure}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
        return tuple((b"set-cookie", field.encode("ascii")) for field in fields)


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
