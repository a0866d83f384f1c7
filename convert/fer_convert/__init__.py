"""Shrinking on the workstation: from a run folder to one `.tflite` file that describes itself."""
