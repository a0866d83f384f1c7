"""The commands of `fer-train`, one a module."""
