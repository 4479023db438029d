"""Evaluation: how good a classifier is, on clips and on events, in numbers for machines and pictures for people.

::

    answers             figures of answers: macro-F1, accuracy, per class, confusion matrix
    clips               the same from probabilities (closed set), with AUROC and average precision
    multi_label         figures of each class where a clip may have several
    calibration_figures expected calibration error, Brier score, reliability table
    bootstrap           intervals of macro-F1, and of the difference of two systems on the same clips
    events              segment- and event-based F1 of sound events
    false_alarms        false alarms per hour of audio in which nothing sounds
    folds               grouped, stratified folds, and out-of-fold predictions put together
    pictures            confusion matrix, reliability diagram, bars per class
    tree_side           a trained tree on the clips of a side
"""

from tidzam_platform.classifiers.evaluation.answers import ClassFigures, Evaluation, compare
from tidzam_platform.classifiers.evaluation.pictures import confusion_picture
from tidzam_platform.classifiers.evaluation.tree_side import evaluate_tree

__all__ = ["ClassFigures", "Evaluation", "compare", "confusion_picture", "evaluate_tree"]
