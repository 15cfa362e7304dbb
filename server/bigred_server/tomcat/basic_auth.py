"""HTTP Basic authentication with a Tomcat of any version. Pure."""

import base64

# Up to version 10, Tomcat reads Latin-1 unless configured otherwise; from 11 on, UTF-8.
_ENCODINGS = ("latin-1", "utf-8")


def authorizations(user: str, password: str) -> tuple[str, ...]:
    """Return the values of the header Authorization to try, one for each way to encode them."""
    pairs = []
    for encoding in _ENCODINGS:
        try:
            pairs.append(f"{user}:{password}".encode(encoding))
        except UnicodeEncodeError:
            continue
    return tuple(f"Basic {base64.b64encode(pair).decode()}" for pair in dict.fromkeys(pairs))
