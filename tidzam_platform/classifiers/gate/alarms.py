"""False alarms on audio that is known to hold noise only: they must not rise.

Alarms are taken for counts of a Poisson process. Both generations heard the same hours, so, if their rates were equal,
each of all their alarms would be as likely the one's as the other's (the conditional test of two Poisson rates:
Przyborowski, Wilenski 1940). The candidate is refused if so many of them are its own that this would happen in less
than one case of twenty. Alarms that come in swarms make the test refuse a little more often than that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tidzam_platform.classifiers.evaluation.events import Track
from tidzam_platform.classifiers.evaluation.false_alarms import FalseAlarms, false_alarms
from tidzam_platform.classifiers.gate.evidence import Evidence, System
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.settings import GateSettings

LEVEL: Final = 0.05


def judge_alarms(evidence: Evidence, settings: GateSettings) -> Finding:
    """Part (c): false alarms per hour on noise-only audio."""
    if not evidence.noise:
        words = (
            "no audio is known to hold noise only: label test clips or stretches of recordings with a class like "
            "noise; nothing to judge"
        )
        return Finding("false_alarms", True, words)
    ours = alarms_of(evidence, evidence.candidate)
    figures: dict[str, Any] = {
        "hours": ours.hours,
        "per_hour": ours.per_hour,
        "count": ours.count,
        "by_class": ours.by_class,
        "test_set": evidence.test_sets.get("noise", ""),
        "compared": {},
    }
    faults, praise = (
        [],
        [f"{ours.count} false alarms in {ours.hours:.3f} h of noise, {ours.per_hour or 0:.1f} per hour"],
    )
    most = settings.max_false_alarms_per_hour
    if most and by_chance(ours.count, most * ours.hours) < LEVEL:
        faults.append(f"{ours.per_hour or 0:.1f} false alarms per hour of noise are more than {most:g}")
    for rival, whose in evidence.rivals:
        theirs = alarms_of(evidence, rival)
        chance = split_by_chance(ours.count, theirs.count)
        figures["compared"][str(rival.generation)] = {
            "per_hour": theirs.per_hour,
            "count": theirs.count,
            "chance": chance,
        }
        said = (
            f"{ours.count} false alarms in {ours.hours:.3f} h of noise beside {theirs.count} of {whose}, "
            f"{rival.generation}"
        )
        if chance < LEVEL:
            worst = max(
                ours.by_class, key=lambda path: ours.by_class[path] - theirs.by_class.get(path, 0), default=""
            )
            faults.append(f"{said}: they rose, most of all {worst} (by chance in {chance:.1%} of the cases)")
        else:
            praise.append(said + (": no more than chance makes" if ours.count > theirs.count else ""))
    return Finding("false_alarms", not faults, "; ".join(faults or praise), figures)


def alarms_of(evidence: Evidence, system: System) -> FalseAlarms:
    """What a generation heard where nothing sounds, by today's names."""
    name = evidence.taxonomy.name
    heard = {
        item: tuple(replace(one, class_path=name(one.class_path)) for one in events)
        for item, events in system.noise.items()
    }
    return false_alarms(
        (Track((), heard.get(channel.item, ()), channel.ignored), channel.seconds)
        for channel in evidence.noise
    )


def split_by_chance(ours: int, theirs: int) -> float:
    """Chance that at least ``ours`` of all alarms are the candidate's if both rates are equal, in (0, 1]."""
    from scipy.stats import binom

    return float(binom.sf(ours - 1, ours + theirs, 0.5)) if ours + theirs else 1.0


def by_chance(count: int, expected: float) -> float:
    """Chance of at least ``count`` alarms where ``expected`` come on average, in (0, 1]."""
    from scipy.stats import poisson

    return float(poisson.sf(count - 1, expected)) if count else 1.0
