"""How good a model is on labelled pictures, and what its scores are worth."""
