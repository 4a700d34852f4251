"""What can go wrong on the bus. The docstring of each error is what the user reads, with the mend.

BusError
├── NotPublished            may have been stored: publish again with the same id
│   ├── StreamFull
│   └── StreamMissing
├── WrongLastSequence       another writer was first: read again
├── PayloadTooLarge
├── WrongStorageKey         nothing was declared, nothing was touched
├── DeclareRefused
├── ConfigurationRefused    the server goes on with what it had
├── ObjectError
│   ├── ObjectMissing
│   ├── ObjectTooLarge
│   └── ObjectDamaged
├── RequestFailed
│   ├── NoResponders
│   ├── RequestTimeout
│   └── ProblemReply        the typed answer of the other side; handlers raise it too
├── ConsumerLost            internal: the reader makes a new consumer
└── NotConnected
    └── AccessRefused
"""

from causeway.proto.answers import Problem


class BusError(Exception):
    """Something went wrong on the bus."""

    def __init__(self, detail: str = "") -> None:
        mend = (type(self).__doc__ or "").strip()
        super().__init__(f"{detail}: {mend}" if detail else mend)
        self.detail = detail


class NotPublished(BusError):
    """The server did not acknowledge the message in time. It may have been stored all the same: publish it again with
    the same id, and it will be there once. Is nats-server running?"""


class StreamFull(NotPublished):
    """The stream is at its limit and refuses new messages until its consumer catches up, or its limit is raised."""


class StreamMissing(NotPublished):
    """The stream does not exist on this server: declare the site with `causeway up site`, and check the url."""


class WrongLastSequence(BusError):
    """The subject has a newer message than the one expected: read it again, then decide again."""


class PayloadTooLarge(BusError):
    """The message is larger than the server's max_payload: send the body through the object store."""


class WrongStorageKey(BusError):
    """The canary of this site can not be read, so the storage key is not the one that the site was made with. Nothing
    was declared and nothing was touched: start nats-server with the right key (security.encryption in the site's
    YAML) and try again. Declaring streams now would delete what the right key can still bring back."""


class DeclareRefused(BusError):
    """The server refused a stream as it is declared: give JetStream a larger max_file_store, or mend the limit named
    here. What existed before is unchanged."""


class ConfigurationRefused(BusError):
    """The server can not use its configuration files, and goes on with those that it had: mend what is named here."""


class ObjectError(BusError):
    """An object could not be stored or read."""


class ObjectMissing(ObjectError):
    """No such object in the bucket: it was deleted, or it aged out. Publish the document again."""


class ObjectTooLarge(ObjectError):
    """The object is larger than allowed: split the document, or raise the limit on both sides."""


class ObjectDamaged(ObjectError):
    """What arrived is not what was stored (size or SHA-256 differs): publish the document again."""


class RequestFailed(BusError):
    """The request got no usable reply."""


class NoResponders(RequestFailed):
    """Nobody serves this subject: start the service (`causeway up site`) and check the site and kb names."""


class RequestTimeout(RequestFailed):
    """No reply came in time: the service may be overloaded; try again, or allow more time."""


class ProblemReply(RequestFailed):
    """The other side replied with a problem."""

    def __init__(self, problem: Problem) -> None:
        text = f"{problem.message} [{problem.code}]"
        Exception.__init__(self, f"{text}: {problem.mend}" if problem.mend else text)
        self.detail = problem.message
        self.problem = problem


class ConsumerLost(BusError):
    """The consumer is gone from the server, or messages to it were lost: make it again from the last position."""


class NotConnected(BusError):
    """There is no connection to nats-server: check the url and that it is running."""


class AccessRefused(NotConnected):
    """nats-server refused these credentials: check the user and the password file."""
