"""edgecam turns a camera into an MQTT sensor.

A frame's life, and the rooms it passes::

    capture ─► slot ─► scheduler ─► vision ─► inference ─► vision ─► decision ─► publish ─► MQTT
    (a worker     (newest  (may it still   (one engine worker: one chain    (messages, outbox,
     per camera)   wins)    be fresh?)      on one frame)                    one publish worker)

`records` and `errors` hold the words that all rooms share; `pipeline.runner` starts and stops
the workers; `commands` are the doors for people. docs/architecture.md is the plan of the house.
"""

__version__ = "0.1.0"
