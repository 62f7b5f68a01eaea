"""The parts of `scripts/bench.py`: one module per comparison, and what they share."""
