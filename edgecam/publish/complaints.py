"""What the publish worker complains of: messages lost and messages refused, each told now and then."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from edgecam.publish.outage import Tally
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# So many topics are named in the log when the broker refuses them.
_REFUSED_TOLD = 100


class Complaints:
    """Counts refusals; `news` are the notices that are due. No clock is read here."""

    def __init__(self, *, every_s: float, notice_topic: str) -> None:
        """Args: how often each kind is told at most; where notices go."""
        self._losses, self._refusals = Tally(every_s), Tally(every_s)
        self._notice_topic = notice_topic
        self._refused = 0
        self._refused_topics: set[str] = set()
        self._last_refusal = ("", "")

    def was_refused(self, topic: str, reason: str) -> None:
        """The broker does not want a message."""
        # Bounded: who asks may name ever new topics for our answers.
        if topic not in self._refused_topics and len(self._refused_topics) < _REFUSED_TOLD:
            self._refused_topics.add(topic)
            log.warning("broker refused a message topic=%s reason=%s", topic, reason)
        # A notice of a refused notice would be refused again, for ever.
        if topic != self._notice_topic:
            self._refused += 1
            self._last_refusal = (topic, reason)

    def news(self, *, lost: int, now_s: float) -> Iterator[Notice]:
        """Args: how many events were lost so far; the steady clock."""
        if lost_now := self._losses.news(lost, now_s=now_s):
            text = f"{lost_now} events lost: the outbox was full"
            yield Notice(NoticeKind.OUTBOX_LOSS, NoticeLevel.WARNING, text, {"lost": lost_now})
        if refused := self._refusals.news(self._refused, now_s=now_s):
            topic, reason = self._last_refusal
            text = f"the broker refused {refused} messages, the last on {topic}: {reason}"
            yield Notice(
                NoticeKind.PUBLISH_REFUSED,
                NoticeLevel.WARNING,
                text,
                {"refused": refused, "topic": topic, "reason": reason},
            )
