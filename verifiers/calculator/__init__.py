"""A verifier that knows nothing but arithmetic: it finds the equations between numbers in a step and checks them."""
