"""Settings of sessions for tests: the least that must be given, and single keys."""

PLAIN = {"start": "m.pt", "memory": "m.memory", "data": "new.xyz", "task": "new", "output": "o.pt"}


def nested(key, value):
    """A dotted key and its value as nested sections."""
    *path, last = key.split(".")
    values = {last: value}
    for part in reversed(path):
        values = {part: values}
    return values
