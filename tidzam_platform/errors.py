"""The exception tree of Tidzam, all of it.

::

    TidzamError
    ├── SettingsError                 a setting is missing or wrong; exit code 2
    ├── InvalidNameError              a source, class path, channel or key is not well formed; exit code 2
    ├── MissingSystemPartError        a program of the operating system is not installed; exit code 4
    ├── SetUpError                    the environment or a system part could not be installed
    ├── BusyError                     another process holds the lock of this step; exit code 5
    ├── FolderInUseError              a folder that we would fill holds what is not ours; exit code 2
    ├── AudioError                    exit code 2
    │   ├── AudioNotFoundError        no such file
    │   ├── EmptyAudioError           no bytes, or headers without any audio
    │   ├── UnknownAudioFormatError   the first bytes are of no audio container that we open
    │   └── DecodingError             the container or codec is damaged beyond use
    ├── ArchiveError                  a file name or time of the archive makes no sense; exit code 2
    ├── LabelError                    a label file or class path cannot be read; exit code 2
    │   └── NothingToLabelError       no such clip, detection or recording
    ├── QueryError                    a question about detections or labels makes no sense; exit code 2
    │   ├── QueryDeadlineError        it makes sense, and takes too long to answer; exit code 1
    │   └── DetectionNotFoundError    no detection of that id
    ├── TreeError                     experts and classes of a tree do not fit together; exit code 2
    ├── CatalogError                  the database is unreachable, locked or of another schema
    ├── StoreError                    the object store failed
    │   ├── ObjectNotFoundError       no object under that key
    │   ├── StoreRefusedError         secret, bucket, rights, region or clock are wrong; exit code 2
    │   └── StoreUnavailableError     the store does not answer, or not in time; it may work later
    ├── DatasetError                  a dataset version is unknown, empty or unfit
    ├── TaxonomyError                 a change of classes makes no sense; exit code 2
    ├── TrainingError                 a classifier cannot be trained or evaluated
    ├── GateRefusedError              a generation did not pass the gate; exit code 3
    ├── ModelRepositoryError          a model version is absent, damaged or of another layout
    ├── ModelServerError              the model server refused or failed a request
    │   ├── ModelServerUnavailableError   no server answers at the address
    │   ├── ModelServerDeadlineError      it did not answer in time
    │   └── ModelServerBusyError          too many requests to it are in flight already
    ├── ReprocessingError             past days cannot be heard again
    ├── ProcessError                  a process that we supervise did not start or died
    │   ├── SupervisorUnavailableError    no Supervisor runs on this home, or it ended just now
    │   ├── AnalyzerUnavailableError  no analyzer answers, or not in time
    │   └── ListenError               an address cannot be listened on, e.g. its port is in use; exit code 6
    ├── SourceError                   a source is not well described, or not there; exit code 2
    │   ├── RefusedAddressError       a URL, file or redirect leads where it may not
    │   └── FetchError                bytes could not be fetched from a URL; it may work later; exit code 1
    ├── RecordingError                audio cannot be written to the archive now
    ├── AudioGraphError               JACK, or what stands for it, failed or is gone
    ├── EngineError                   the engine refused or failed a request
    │   └── EngineUnavailableError    no engine answers, or not in time
    ├── RuleError                     a rule makes no sense, or is not there; exit code 2
    ├── OutputError                   an output could not be reached; it may work later
    │   ├── OutputRefusedError        it refused a message for good
    │   └── OutputFaultError          it answered, and failed at this message; it may work later
    ├── BackupError                   a backup cannot be made, is damaged, or cannot be restored
    └── TokenError                    a token is missing, unknown, or not good for this; exit code 2

A message says what went wrong, where, and how to mend it. ``exit_code`` is what the command line exits with.
"""

from __future__ import annotations


class TidzamError(Exception):
    """Base of every error that Tidzam raises on purpose."""

    exit_code = 1


class SettingsError(TidzamError):
    """A setting is missing or wrong."""

    exit_code = 2


class InvalidNameError(TidzamError):
    """A source, class path, channel or key is not well formed."""

    exit_code = 2


class MissingSystemPartError(TidzamError):
    """A program of the operating system is not installed."""

    exit_code = 4


class SetUpError(TidzamError):
    """The environment or a system part could not be installed."""


class BusyError(TidzamError):
    """Another process holds the lock of this step."""

    exit_code = 5


class FolderInUseError(TidzamError):
    """A folder that we would fill holds what is not ours."""

    exit_code = 2


class AudioError(TidzamError):
    """Audio cannot be used."""

    exit_code = 2


class AudioNotFoundError(AudioError):
    """No such file."""


class EmptyAudioError(AudioError):
    """No bytes, or headers without any audio."""


class UnknownAudioFormatError(AudioError):
    """The first bytes are of no audio container that we open."""


class DecodingError(AudioError):
    """The container or codec is damaged beyond use."""


class ArchiveError(TidzamError):
    """A file name or time of the archive makes no sense."""

    exit_code = 2


class LabelError(TidzamError):
    """A label file or class path cannot be read."""

    exit_code = 2


class NothingToLabelError(LabelError):
    """No such clip, detection or recording."""


class QueryError(TidzamError):
    """A question about detections or labels makes no sense."""

    exit_code = 2


class QueryDeadlineError(QueryError):
    """A question makes sense, and takes too long to answer."""

    exit_code = 1


class DetectionNotFoundError(QueryError):
    """No detection of that id, live or in the archive."""


class TreeError(TidzamError):
    """Experts and classes of a tree do not fit together, or a file that describes them cannot be read."""

    exit_code = 2


class CatalogError(TidzamError):
    """The database is unreachable, locked or of another schema."""


class StoreError(TidzamError):
    """The object store failed."""


class ObjectNotFoundError(StoreError):
    """No object under that key."""


class StoreRefusedError(StoreError):
    """The store refuses us until somebody mends something: secret, bucket, rights, region or clock."""

    exit_code = 2


class StoreUnavailableError(StoreError):
    """The store does not answer, or not in time; it may work later."""


class DatasetError(TidzamError):
    """A dataset version is unknown, empty or unfit."""


class TaxonomyError(TidzamError):
    """A change of classes makes no sense: a class is not known, a name is taken, or it goes round in a circle."""

    exit_code = 2


class TrainingError(TidzamError):
    """A classifier cannot be trained or evaluated."""


class GateRefusedError(TidzamError):
    """A generation did not pass the gate."""

    exit_code = 3


class ModelRepositoryError(TidzamError):
    """A model version is absent, damaged or of another layout."""


class ModelServerError(TidzamError):
    """The model server refused or failed a request."""


class ModelServerUnavailableError(ModelServerError):
    """No server answers at the address.

    ``retry_after_s``: seconds until the client asks it again; None unless it leaves it alone for a while.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelServerDeadlineError(ModelServerError):
    """The model server did not answer in time."""


class ModelServerBusyError(ModelServerError):
    """Too many requests to the model server are in flight already."""


class ReprocessingError(TidzamError):
    """Past days cannot be heard again: no worker can do it, or what was to be compared was never heard."""


class ProcessError(TidzamError):
    """A process that we supervise did not start or died."""


class SupervisorUnavailableError(ProcessError):
    """No Supervisor runs on this home, or it ended just now."""


class AnalyzerUnavailableError(ProcessError):
    """No analyzer answers, or not in time."""


class ListenError(ProcessError):
    """An address cannot be listened on: its port is in use, or it is not of this machine, or not ours to take.

    Trying again helps nothing until somebody mends it: Supervisor does not start what ended with this code.
    """

    exit_code = 6


class SourceError(TidzamError):
    """A source is not well described, or not there."""

    exit_code = 2


class RefusedAddressError(SourceError):
    """A URL, file or redirect leads where it may not."""


class FetchError(SourceError):
    """Bytes could not be fetched from a URL; it may work later."""

    exit_code = 1


class RecordingError(TidzamError):
    """Audio cannot be written to the archive now."""


class AudioGraphError(TidzamError):
    """JACK, or what stands for it, failed or is gone."""


class EngineError(TidzamError):
    """The engine refused or failed a request."""


class EngineUnavailableError(EngineError):
    """No engine answers, or not in time."""


class RuleError(TidzamError):
    """A rule (of the recorder, of outputs, of alerts) makes no sense, or is not there."""

    exit_code = 2


class OutputError(TidzamError):
    """An output could not be reached; it may work later.

    ``retry_after_s``: seconds after which it wants to be tried again; None unless it said so.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OutputRefusedError(OutputError):
    """It refused a message for good."""


class OutputFaultError(OutputError):
    """It answered, and failed at this message; it may work later."""


class BackupError(TidzamError):
    """A backup cannot be made, is damaged, or cannot be restored."""


class TokenError(TidzamError):
    """A token is missing, unknown, or not good for this."""

    exit_code = 2
