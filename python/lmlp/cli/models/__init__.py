"""Commands that make, change or show a model file."""
