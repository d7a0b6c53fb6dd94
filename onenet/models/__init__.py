"""Networks, made of layers: an encoder, a decoder and a head, named in catalog.py."""
