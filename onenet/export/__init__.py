"""From a trained model to files for the device: exact rewrites of the networks, and what is written from them."""
