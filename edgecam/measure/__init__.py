"""Measuring a model and the whole pipeline on this machine: blocks in turn, figures with their spread."""
