"""Run a service with one promise's guard taken out, to show that the count notices.

`python -m ops.chaos.sabotage ROOM`, called by `make chaos SABOTAGE=sink` or `worker`.

result_sink: nothing is recognised as applied before. stream_workers: events are acknowledged as soon as they are read.
"""
