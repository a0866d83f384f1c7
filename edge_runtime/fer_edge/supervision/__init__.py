"""What keeps a device alive that nobody watches: signs of life, reloading, heat, an end in time."""
