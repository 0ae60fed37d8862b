"""Settings in general: YAML as it was meant, values with units, errors that name the key."""
