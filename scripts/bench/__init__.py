"""What `scripts/bench.py` is made of; the README beside this file says what is what."""
