"""One training on several machines or GPUs: each batch is split, the steps are those of one worker.

A train step of our own under ``tf.distribute``. Every worker draws the same batches from the same seed and learns from
its part; gradients are summed, and batch normalisation looks at the whole batch, so that the weights are the same
everywhere and, but for rounding and the masks of dropout, those that one worker alone would have::

    team        who trains together, and what they say to each other
    meeting     from settings to a team
    rendezvous  the workers of a training wait for each other
    cluster     the part of TensorFlow that connects them
    health      whether the others still live and go on
    lost        what is said when one does not
    step        the train step
    replicas    batch normalisation and dropout of replicas
"""

from tidzam_platform.classifiers.training.distributed.meeting import joined, present_team
from tidzam_platform.classifiers.training.distributed.step import epoch_fitter
from tidzam_platform.classifiers.training.distributed.team import ALONE, Team

__all__ = ["ALONE", "Team", "epoch_fitter", "joined", "present_team"]
