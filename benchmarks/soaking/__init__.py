"""What `soak.py` is made of: a camera, a disk and outputs that fail, and the books that are kept of it."""
