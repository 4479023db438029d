"""What the gate judges by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidzam_platform.classifiers.evaluation.events import Stretch, TimedLabel
from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.datasets.taxonomy import Taxonomy


@dataclass(frozen=True)
class TestClip:
    """A clip of the frozen set: its hash, its key in the store, its group, and its classes by today's names."""

    __test__ = False  # no class of tests

    sha256: str
    store_key: str
    group: str
    class_paths: tuple[str, ...]


@dataclass(frozen=True)
class TestChannel:
    """A channel of a recording, or a clip, that is heard as a whole.

    Attributes:
        item: its name, see ``TestRow.item``.
        group: the recording, or the group of the clip.
        seconds: how long it is.
        reference: what people heard there, by today's names.
        ignored: stretches that are not scored.
    """

    __test__ = False  # no class of tests

    item: str
    group: str
    seconds: float
    reference: tuple[TimedLabel, ...] = ()
    ignored: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class ClipAnswer:
    """What a clip is taken for, by the generation's own names, and the score of the best leaf, in [0, 1].

    A generation of single labels says one leaf; one of several says all leaves that it hears, perhaps none.
    """

    answers: tuple[str, ...]
    best: str
    confidence: float


@dataclass(frozen=True)
class System:
    """One generation.

    Attributes:
        generation: its number.
        leaves: its leaf classes, by its own names.
        labels: whether one class sounds in a clip, or several may.
        clips: what it says of each clip, by hash.
        recordings: what it heard on each labelled channel, by item.
        noise: what it heard where there is noise only, by item.
        windows_per_s: how many windows it judges in a second here; None: not measured.
    """

    generation: int
    leaves: tuple[str, ...]
    labels: Labels
    clips: Mapping[str, ClipAnswer] = field(default_factory=dict)
    recordings: Mapping[str, tuple[TimedLabel, ...]] = field(default_factory=dict)
    noise: Mapping[str, tuple[TimedLabel, ...]] = field(default_factory=dict)
    windows_per_s: float | None = None


@dataclass(frozen=True)
class ShadowEvidence:
    """Recent windows that the generation in service and the candidate both heard.

    Attributes:
        origin: where the windows are from, in words.
        windows: how many both answered.
        quiet: windows that both took for ``no_signal``.
        agreed: windows for which both decided the same, quiet ones included.
        unusable: windows without finite scores.
        stable, candidate: how often each decided each class.
    """

    origin: str
    windows: int
    quiet: int
    agreed: int
    unusable: int
    stable: Mapping[str, int]
    candidate: Mapping[str, int]


@dataclass(frozen=True)
class Evidence:
    """All that the gate goes by.

    Attributes:
        candidate: the generation that is judged.
        incumbent: the one in service; None for the first.
        best: the best that was ever promoted, if that is another one.
        clips, recordings, noise: the frozen sets.
        taxonomy: today's names.
        test_sets: version of each set by kind.
        unscored: why generations that should have been compared could not be.
        shadow: of candidate and incumbent; None if no window was heard by both.
        channels: how many are in use.
        hop_s: from one window of a channel to the next.
    """

    candidate: System
    incumbent: System | None = None
    best: System | None = None
    clips: tuple[TestClip, ...] = ()
    recordings: tuple[TestChannel, ...] = ()
    noise: tuple[TestChannel, ...] = ()
    taxonomy: Taxonomy = field(default_factory=Taxonomy)
    test_sets: Mapping[str, str] = field(default_factory=dict)
    unscored: tuple[str, ...] = ()
    shadow: ShadowEvidence | None = None
    channels: int = 0
    hop_s: float = 0.5

    @property
    def rivals(self) -> tuple[tuple[System, str], ...]:
        """The generations that it is compared with, each with words for it."""
        pairs = (
            (self.incumbent, "the generation in service"),
            (self.best, "the best generation ever promoted"),
        )
        return tuple((one, words) for one, words in pairs if one is not None)
