"""A context path: where Tomcat serves an app, and the name of the WAR that it serves there.

Source: Tomcat's "The Context Container, Naming". The root is "" and its WAR ROOT; /a/b is a#b; what
follows "##" is a version, which does not change the path.
"""

ROOT = ""
_ROOT_NAME = "ROOT"
_WAR = ".war"
_NOT_IN_A_PATH = "#?%;\\"


def checked(text: str) -> str:
    """Return the context path that a person wrote, "" for the root ("/" is the root too).

    Raise ValueError, saying what to write instead, if it is none.
    """
    if text in ("", "/"):
        return ROOT
    if "://" in text:
        raise ValueError(f"{text!r} is an address; write only the path in it, such as '/shop'")
    if not text.startswith("/"):
        path = of_war(text)
        raise ValueError(f"{text!r} does not begin with a slash; {_instead(path)}")
    if of_war(text.removeprefix("/")) == ROOT:
        raise ValueError(f"{text!r} is not a path: ROOT.war is the root; {_instead(ROOT)}")
    if text.endswith(_WAR):
        path = of_war(text.removeprefix("/"))
        raise ValueError(f"{text!r} is the name of a WAR, not its path; {_instead(path)}")
    parts = text.removeprefix("/").split("/")
    if parts[-1] == "":
        raise ValueError(f"{text!r} ends with a slash; {_instead(text.rstrip('/'))}")
    if "" in parts:
        path = "/".join(["", *filter(None, parts)])
        raise ValueError(f"{text!r} has two slashes in a row; {_instead(path)}")
    if {".", ".."} & set(parts):
        raise ValueError(f"{text!r} has a part '.' or '..', which no context path can have")
    for char in text:
        if char.isspace() or not char.isprintable():
            raise ValueError(f"{text!r} has a blank, which no context path can have")
        if char in _NOT_IN_A_PATH:
            hint = f"; {_instead(of_war(text.removeprefix('/')))}" if char == "#" else ""
            raise ValueError(f"{text!r} has a {char!r}, which no context path can have{hint}")
    return text


def war_name(context: str) -> str:
    """Return the name of the WAR, without .war, that Tomcat serves under a context path."""
    return context.removeprefix("/").replace("/", "#") or _ROOT_NAME


def of_war(name: str) -> str:
    """Return the context path under which Tomcat serves a WAR; .war in its name is optional."""
    base, _, _ = name.removesuffix(_WAR).partition("##")
    return ROOT if base in ("", _ROOT_NAME) else "/" + base.replace("#", "/")


def _instead(path: str) -> str:
    return f"write {path!r}" if path else "write '/' for the root"
