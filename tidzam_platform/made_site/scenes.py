"""Events at a place: how an individual sounds there, above the background."""

from __future__ import annotations

import numpy as np

from tidzam_platform.made_site.backgrounds import Place, background, coloured, reverberant
from tidzam_platform.made_site.mixing import add, level_db
from tidzam_platform.made_site.synthesis import Sound
from tidzam_platform.made_site.voices import Individual


def draw_individual(rng: np.random.Generator) -> Individual:
    """An individual drawn at random."""
    return Individual(*rng.random(3))


def spread_individuals(rng: np.random.Generator, number: int) -> list[Individual]:
    """``number`` individuals that between them cover the whole range of their kind (a Latin hypercube)."""
    axes = [(rng.permutation(number) + rng.random(number)) / number for _ in range(3)]
    return [Individual(*map(float, position)) for position in zip(*axes, strict=True)]


class Scene:
    """A stretch of sound at one place: a background, and events laid over it.

    Attributes:
        sound: float64 ``[frames]``, at the level of the place.
        background_db: A-weighted level of the background alone.
    """

    def __init__(self, place: Place, rng: np.random.Generator, frames: int) -> None:
        self._place = place
        self._rng = rng
        noise = coloured(place, background(place, rng, frames))
        self.sound: Sound = np.zeros(frames)
        add(self.sound, 0, noise, place.level_dbfs - level_db(noise))
        self.background_db = place.level_dbfs

    def lay(self, event: Sound, start_frame: int, snr_db: float) -> None:
        """Add ``event``, ``snr_db`` above the background by A-weighted level over its own length."""
        heard = coloured(self._place, event)
        gain_db = self.background_db + snr_db - level_db(heard)
        add(self.sound, start_frame, reverberant(self._place, self._rng, heard), gain_db)
