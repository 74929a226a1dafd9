"""The parts of `scripts/build_models.py` that run inside its own virtual environment."""
