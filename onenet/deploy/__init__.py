"""What a device needs to draw masks. Nothing here imports torch: a network is any object with `run(images)`."""
