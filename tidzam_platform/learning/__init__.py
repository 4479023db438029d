"""Active learning: what is not labelled yet, ranked by what a label would teach.

``measures`` says how unsure generations are, ``greedy`` chooses, ``ranking`` puts both together; ``candidates``,
``archive_windows`` and ``clip_cache`` bring what is ranked, ``queue`` keeps the result; ``curve`` compares with random
choice.
"""

from tidzam_platform.learning.queue import QueueEntry, QueueReport, rank_clips, read_queue

__all__ = ["QueueEntry", "QueueReport", "rank_clips", "read_queue"]
