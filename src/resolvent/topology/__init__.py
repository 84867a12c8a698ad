"""Where time runs: segments of packed sequences, and orders such as right-to-left."""
