"""Measuring model files: size, latency, accuracy, on a workstation and on the device alike."""
