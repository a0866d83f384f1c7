"""Stands in for python-prctl, which picamera2 imports for its FFmpeg output alone."""
