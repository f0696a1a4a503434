"""A verifier that knows only arithmetic: it finds the equations between numbers in a step and checks them."""
