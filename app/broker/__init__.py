"""Who else must hear: of a run's entries, a session's news, a command to a run's owner. What a
broker must do is in core/broker.py."""
