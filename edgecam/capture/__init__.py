"""Doors to cameras and recordings, behind one `Camera` protocol."""
