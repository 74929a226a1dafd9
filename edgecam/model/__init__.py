"""Models: the card, the labels, the groups, the graph inside the file, and where they lie.

::

    model directory ──► card, labels, groups ──┐
                                               ├──► checked against each other ──► Model
    .tflite ──► graph (tensors, operators) ────┘
"""
