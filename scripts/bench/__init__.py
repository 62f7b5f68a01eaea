"""The parts of `scripts/bench.py`: one module for each comparison, and shared tools."""
