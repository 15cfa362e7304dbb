"""A fake Manager: Tomcat 10.1's text protocol, with contexts that are only names."""

import base64
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

# Tomcat's LocalStrings; English replaces what a language lacks.
_STRINGS = {
    "en": {
        "listed": "OK - Listed applications for virtual host [localhost]",
        "deployed": "OK - Deployed application at context path [{0}]",
        "not_started": (
            "FAIL - Deployed application at context path [{0}] but context failed to start"
        ),
        "started": "OK - Started application at context path [{0}]",
        "start_failed": "FAIL - Application at context path [{0}] could not be started",
        "exists": "FAIL - Application already exists at path [{0}]",
        "undeployed": "OK - Undeployed application at context path [{0}]",
        "no_context": "FAIL - No context exists named [{0}]",
        "busy": "FAIL - The application [{0}] is already being serviced",
        "exception": "FAIL - Encountered exception [{0}]",
        "leaks": "OK - Found potential memory leaks in the following applications:",
        "no_leaks": "OK - No memory leaks found",
        "unknown": "FAIL - Unknown command [{0}]",
    },
    "de": {
        "deployed": "OK - Anwendung mit Kontext Pfad [{0}] installiert",
        "no_context": "FEHLER - Es existiert kein Kontext für Pfad [{0}]",
        "exception": "FEHLER - Ausnahme aufgetreten [{0}]",
    },
    "es": {
        "deployed": "OK - Desplegada aplicación en trayectoria de contexto [{0}]",
        "no_context": "FALLO - No existe contexto para trayectoria [{0}]",
        "exception": "FALLO - Encontrada excepción [{0}]",
    },
}


@dataclass
class FakeManager:
    """Knows contexts by name (`/shop`, `/shop##1`) and whether they run.

    `encoding`: how it reads user and password, "utf-8" from Tomcat 11 on. `language`: the language
    of its answers, whatever the request accepts. `sessions`: the number in each context; `leaks`:
    the names of leaked contexts. `breaks`: the exception that a deployment raises. `starts`:
    whether deployed contexts start. `busy`: how many more commands find Tomcat busy. `hangs`:
    commands that take effect without an answer. `status`: an HTTP status to answer instead, with
    `location`.
    """

    user: str = "bigred"
    password: str = "secret"  # noqa: S105
    encoding: str = "latin-1"
    language: str = "en"
    contexts: dict[str, bool] = field(default_factory=dict)
    sessions: int = 0
    leaks: tuple[str, ...] = ()
    breaks: str = ""
    starts: bool = True
    busy: int = 0
    hangs: frozenset[str] = frozenset()
    status: int = 200
    location: str = ""
    started_at_ms: int = 1_700_000_000_000
    uploaded: list[int] = field(default_factory=list)

    def answer(self, target: str, authorization: str, body: bytes) -> tuple[int, str] | None:
        """Return status and text, or None to give no answer."""
        secret = f"{self.user}:{self.password}".encode(self.encoding)
        if self.status != 200:
            return self.status, "<html>"
        if authorization != f"Basic {base64.b64encode(secret).decode()}":
            return 401, "<html>"
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        command = url.path.rpartition("/")[2]
        if body:
            self.uploaded.append(len(body))
        text = self._do(command, query)
        return None if command in self.hangs else (200, text + "\n")

    def _do(self, command: str, query: dict[str, str]) -> str:
        match command:
            case "list":
                return "\n".join([self._text("listed"), *self._rows()])
            case "vminfo":
                return f"OK - VM info\nRuntime information:\n  startTime: {self.started_at_ms}"
            case "findleaks":
                return "\n".join([self._text("leaks" if self.leaks else "no_leaks"), *self.leaks])
            case "start":
                return self._start(query["path"] + f"##{query['version']}")
            case "deploy" | "undeploy":
                name = query["path"] + (f"##{query['version']}" if "version" in query else "")
                if self.busy:
                    self.busy -= 1
                    # The second line is the state of the context, whoever caused it.
                    return "\n".join([self._text("busy", name), self._text("deployed", name)])
                if command == "undeploy":
                    return self._undeploy(name)
                return self._deploy(name, update="update" in query)
        return self._text("unknown", command)

    def _rows(self) -> list[str]:
        rows = []
        for name, running in self.contexts.items():
            path, _, _ = name.partition("##")
            place = name.removeprefix("/").replace("/", "#")
            state = "running" if running else "stopped"
            rows.append(f"{path}:{state}:{self.sessions if running else 0}:{place or 'ROOT'}.war")
        return rows

    def _start(self, name: str) -> str:
        if name not in self.contexts:
            return self._text("no_context", name)
        self.contexts[name] = self.contexts[name] or self.starts
        return self._text("started" if self.contexts[name] else "start_failed", name)

    def _deploy(self, name: str, *, update: bool) -> str:
        if name in self.contexts and not update:
            return self._text("exists", name)
        if self.breaks:
            return self._text("exception", self.breaks)
        self.contexts[name] = self.starts
        return self._text("deployed" if self.starts else "not_started", name)

    def _undeploy(self, name: str) -> str:
        if name not in self.contexts:
            return self._text("no_context", name)
        del self.contexts[name]
        return self._text("undeployed", name)

    def _text(self, key: str, argument: str = "") -> str:
        text = _STRINGS[self.language].get(key) or _STRINGS["en"][key]
        return text.format(argument)
