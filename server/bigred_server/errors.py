"""What can go wrong in a way a person can mend: each error is one sentence that says how."""


class BigredError(Exception):
    """Something was refused or did not work; nothing half-done is left behind."""


class UnknownAppError(BigredError, KeyError):
    """An app is named that the configuration does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class ReleaseError(BigredError, ValueError):
    """A release can't be taken in, found or used."""


class UnknownReleaseError(ReleaseError):
    """A release is named that the app does not have."""


class DeploymentError(BigredError, RuntimeError):
    """A deployment can't be started or changed."""


class NotRunningError(BigredError, RuntimeError):
    """The deploy server does not run, or runs already."""


class ApiError(BigredError, OSError):
    """The HTTP API can't be served."""


class HaproxyError(BigredError, OSError):
    """HAProxy can't be reached, or did not do what it was asked."""


class HaproxyAwayError(HaproxyError):
    """HAProxy gave no answer; it may come back."""


class NodeError(BigredError, OSError):
    """A node did not do what it was asked."""


class NodeAwayError(NodeError):
    """A node gave no answer; what it was asked to do may be done all the same."""


class LeaseLostError(BigredError, RuntimeError):
    """Another server leads the app by now; whatever was begun here must not go on."""


class HookError(BigredError, RuntimeError):
    """A hook failed, or took longer than it may."""


class BuildError(BigredError, RuntimeError):
    """A commit could not be built or tested."""


class WebhookError(BigredError, ValueError):
    """A webhook's body is not what its sender says it is."""


class SeriesError(BigredError, RuntimeError):
    """A business metric could not be read."""


class JournalError(BigredError, RuntimeError):
    """The journal can't be opened."""


class JenkinsError(BigredError, OSError):
    """Jenkins did not do what it was asked."""


class JenkinsAwayError(JenkinsError):
    """Jenkins gave no answer; what it was asked to do may be done all the same."""
