"""The errors that a person can fix: each message is one sentence that says how."""


class BigredError(Exception):
    """Something was refused or failed; nothing is left half done."""


class UnknownAppError(BigredError, KeyError):
    """The configuration has no app with this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class ReleaseError(BigredError, ValueError):
    """A release can't be accepted, found or used."""


class UnknownReleaseError(ReleaseError):
    """The app has no release with this name."""


class DeploymentError(BigredError, RuntimeError):
    """A deployment can't be started or changed."""


class NotRunningError(BigredError, RuntimeError):
    """The deploy server is not running, or is already running."""


class ApiError(BigredError, OSError):
    """The HTTP API can't be served."""


class HaproxyError(BigredError, OSError):
    """HAProxy can't be reached, or did not carry out a command."""


class HaproxyAwayError(HaproxyError):
    """HAProxy did not answer; it may answer later."""


class NoBackendError(HaproxyError):
    """HAProxy has no backend of this name."""


class NodeError(BigredError, OSError):
    """A node did not carry out a command."""


class NodeAwayError(NodeError):
    """A node did not answer; it may have carried out the command all the same."""


class LeaseLostError(BigredError, RuntimeError):
    """Another server leads the app now; this one must not continue what it began."""


class HookError(BigredError, RuntimeError):
    """A hook failed, or exceeded its time limit."""


class BuildError(BigredError, RuntimeError):
    """A commit could not be built or tested."""


class WebhookError(BigredError, ValueError):
    """A webhook's body is not a valid push."""


class UnreadableWebhookError(WebhookError):
    """A webhook's body is not even JSON."""


class SeriesError(BigredError, RuntimeError):
    """A business metric could not be read."""


class JournalError(BigredError, RuntimeError):
    """The journal can't be opened."""


class BackupError(BigredError, RuntimeError):
    """A backup can't be made or restored."""


class JenkinsError(BigredError, OSError):
    """Jenkins did not carry out a request."""


class JenkinsAwayError(JenkinsError):
    """Jenkins did not answer; it may have carried out the request all the same."""
