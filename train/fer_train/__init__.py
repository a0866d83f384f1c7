"""Training on the workstation: data sets, architectures, fitting, and the run folder that the later stages read."""
