"""The commands of `fer-convert`, and groups of their options."""
