"""Training on Lightning Fabric: losses, schedule, the loop, and the folder that a run leaves behind."""
