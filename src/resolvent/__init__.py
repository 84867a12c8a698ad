"""State-space sequence models: train in parallel, run the same weights as a recurrence."""

__version__ = "0.1.0"
