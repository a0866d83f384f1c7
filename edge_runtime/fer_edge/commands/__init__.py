"""Commands of `fer-edge` beside `run`, and the options that they share."""
