"""What `scripts/scaling.py` is made of."""
