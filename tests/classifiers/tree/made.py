"""Made trees for hypothesis: of any depth, with experts that skip levels."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.classifiers.tree.spec import SELECTOR, ExpertSpec, TreeSpec
from tidzam_platform.labels.class_paths import ancestors, is_within

_PATHS = st.lists(st.sampled_from(["a", "b", "c", "a_b", "1"]), min_size=1, max_size=4).map("-".join)


def leaves_of(paths: set[str]) -> set[str]:
    return paths - {above for path in paths for above in ancestors(path)}


# Labels of which at least two are leaves; some may lie on inner classes.
label_sets = st.sets(_PATHS, min_size=2, max_size=14).filter(lambda paths: len(leaves_of(paths)) > 1)


@st.composite
def trees(draw: st.DrawFn) -> TreeSpec:
    """A tree by parents, of which some experts are merged into the one above, so that levels are skipped."""
    outputs: dict[str, list[str]] = {
        expert.name: list(expert.outputs) for expert in by_parent(draw(label_sets)).experts
    }
    for name in [name for name in reversed(outputs) if name != SELECTOR]:
        if draw(st.booleans()):
            owner = next(other for other, classes in outputs.items() if name in classes)
            outputs[owner].remove(name)
            outputs[owner] += outputs.pop(name)
    experts = []
    for name, classes in outputs.items():
        own = name == SELECTOR or draw(st.booleans())
        experts.append(
            ExpertSpec(
                name,
                tuple(draw(st.permutations(classes))),
                trunk="own" if own else "shared",
                architecture=draw(st.sampled_from([None, "compact", "sb_cnn"])) if own else None,
                head=draw(st.sampled_from(["dense", "lstm"])),
            )
        )
    return TreeSpec(tuple(experts))


def plain_score(tree: TreeSpec, probabilities: Mapping[str, Mapping[str, float]], node: str) -> float:
    """The combined score as the rules tell it, without any cleverness."""
    for expert in tree.experts:
        if node in expert.outputs:
            above = 1.0 if expert.name == SELECTOR else plain_score(tree, probabilities, expert.name)
            return above * probabilities[expert.name][node]
    below = [output for expert in tree.experts for output in expert.outputs if is_within(output, node)]
    nearest = [one for one in below if not any(one != other and is_within(one, other) for other in below)]
    return sum(plain_score(tree, probabilities, output) for output in nearest)


FLAT_OF_THREE = flat(["animal-bird", "animal-cat", "rain"])
