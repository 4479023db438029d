"""TensorBoard logs of each training of a generation; ``./tidzam tensorboard`` shows them.

They lie in ``<home>/tensorboard/<fingerprint>/``, one TensorBoard run a folder: ``chosen`` and ``refitted`` have the
losses of the two stages of a training, ``result`` has what the tree that came out of it is and does::

    training_log   when what is written; what happens where it cannot be
    folders        where logs lie, and how many are kept
    event_file     one event file: scalars, histograms, images, a graph
    result         figures and pictures of the test side, histograms of the weights
    feature_maps   what the convolutions make of one clip a class
    model_graph    the graph of the tree
    projector      embeddings of test clips with the names of their classes

Nothing here decides weights.
"""

from tidzam_platform.classifiers.tensorboard.training_log import TrainingLog

__all__ = ["TrainingLog"]
